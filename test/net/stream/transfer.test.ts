// Reads and writes that are no plain buffers: the same tests for each driver and backend.
import { describeOn } from '../tools.js';
import { describeHandlerReads } from './suite/handler-reads.js';
import { describeHandlerWrites } from './suite/handler-writes.js';
import { describePeek } from './suite/peek.js';
import { describeSendfile } from './suite/sendfile.js';

describeOn(['nested epoll', 'watcher kqueue', 'watcher poll', 'watcher iocp'], 'transfer', (context) => {
  describePeek(context);
  describeSendfile(context);
  describeHandlerReads(context);
  describeHandlerWrites(context);
});

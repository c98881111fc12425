// What few TCP streams need: the same tests for each driver and backend.
import { describeOn } from '../net/tools.js';
import { describeGivenFds } from './suite/given-fds.js';
import { describeHandlerCopies } from './suite/handler-copies.js';
import { describeHandlerReads } from './suite/handler-reads.js';
import { describeHandlerWrites } from './suite/handler-writes.js';
import { describePeek } from './suite/peek.js';
import { describeSendfile } from './suite/sendfile.js';
import { describeSplice } from './suite/splice.js';
import { describeUrgent } from './suite/urgent.js';
import { describeZeroCopy } from './suite/zero-copy.js';

describeOn(['nested epoll', 'watcher kqueue', 'watcher poll', 'watcher iocp'], 'TCP extras', (context) => {
  describePeek(context);
  describeSendfile(context);
  describeSplice(context);
  describeUrgent(context);
  describeZeroCopy(context);
  describeGivenFds(context);
  describeHandlerReads(context);
  describeHandlerWrites(context);
  describeHandlerCopies(context);
});

// Copies between streams: the same tests for each driver and backend.
import { describeOn } from '../tools.js';
import { describeCopying } from './suite/copying.js';
import { describeHandlerCopies } from './suite/handler-copies.js';
import { describeSplice } from './suite/splice.js';

describeOn(['nested epoll', 'watcher kqueue', 'watcher poll', 'watcher iocp'], 'copies', (context) => {
  describeCopying(context);
  describeSplice(context);
  describeHandlerCopies(context);
});

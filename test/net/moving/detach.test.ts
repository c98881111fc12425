// Sockets that go from one owner to another: the same tests for each driver and backend.
import { describeOn } from '../tools.js';
import { describeAnyFd, describeDatagrams } from './suite/datagrams.js';
import { describeListeners } from './suite/listeners.js';
import { describeStreams } from './suite/streams.js';
import { describeUnix } from './suite/unix.js';
import { describeUnixDatagrams } from './suite/unix-datagrams.js';

describeOn(
  ['nested epoll', 'watcher epoll', 'watcher kqueue', 'watcher poll', 'watcher iocp'],
  'moving',
  (context) => {
    describeStreams(context);
    describeUnix(context);
    describeUnixDatagrams(context);
    describeListeners(context);
    describeDatagrams(context);
    describeAnyFd(context);
  },
);

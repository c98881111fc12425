// What only TCP has: the same tests for each driver and backend.
import { describeOn } from '../tools.js';
import { describeConnectFaults } from './suite/connect-faults.js';
import { describeConnecting } from './suite/connecting.js';
import { describeDeferredAccept } from './suite/deferred-accept.js';
import { describeGivenFds } from './suite/given-fds.js';
import { describeUrgent } from './suite/urgent.js';
import { describeZeroCopy } from './suite/zero-copy.js';

describeOn(
  ['nested epoll', 'watcher epoll', 'watcher kqueue', 'watcher poll', 'watcher iocp'],
  'TCP',
  (context) => {
    describeConnecting(context);
    describeConnectFaults(context);
    describeDeferredAccept(context);
    describeUrgent(context);
    describeZeroCopy(context);
    describeGivenFds(context);
  },
);

// Cancellation and life of streams: the same tests for each driver and backend.
import { describeOn } from '../tools.js';
import { describeAbortedReads } from './suite/aborted-reads.js';
import { describeAbortedWrites } from './suite/aborted-writes.js';
import { describeCancellation } from './suite/cancellation.js';
import { describeClosing } from './suite/closing.js';
import { describeFlowAtTheEnd } from './suite/flow-at-the-end.js';
import { describeIdling } from './suite/idling.js';
import { describeLimits } from './suite/limits.js';
import { describePeerGone } from './suite/peer-gone.js';
import { describeShuttingDown } from './suite/shutting-down.js';
import { describeSplitting } from './suite/splitting.js';

describeOn(
  ['nested epoll', 'watcher kqueue', 'watcher poll', 'watcher iocp'],
  'life of streams',
  (context) => {
    describeCancellation(context);
    describeAbortedReads(context);
    describeAbortedWrites(context);
    describeClosing(context);
    describeSplitting(context);
    describeFlowAtTheEnd(context);
    describeIdling(context);
    describeLimits(context);
    describeShuttingDown(context);
    describePeerGone(context);
  },
);

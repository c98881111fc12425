// The conformance suite of byte streams, over TCP: the same tests for each driver and backend.
import { describeOn } from '../tools.js';
import { describeBadInput } from './suite/bad-input.js';
import { describeBuffers } from './suite/buffers.js';
import { describeEcho } from './suite/echo.js';
import { describeEnds } from './suite/ends.js';
import { describeFailures } from './suite/failures.js';
import { describeFlow } from './suite/flow.js';
import { describeHandlerErrors } from './suite/handler-errors.js';
import { describeListeners } from './suite/listeners.js';
import { describeNoBuffers } from './suite/no-buffers.js';
import { describePromises } from './suite/promises.js';
import { describeGivingAway } from './suite/giving-away.js';
import { describeReadable } from './suite/readable.js';
import { describeVectors } from './suite/vectors.js';
import { describeStress } from './suite/stress.js';
import { describeTraps } from './suite/traps.js';

describeOn(
  ['nested epoll', 'watcher epoll', 'watcher kqueue', 'watcher poll', 'watcher iocp'],
  'streams',
  (context) => {
    describeEcho(context);
    describeEnds(context);
    describeFlow(context);
    describePromises(context);
    describeBuffers(context);
    describeListeners(context);
    describeFailures(context);
    describeHandlerErrors(context);
    describeBadInput(context);
    describeTraps(context);
    describeGivingAway(context);
    describeReadable(context);
    describeVectors(context);
    describeNoBuffers(context);
    describeStress(context);
  },
);

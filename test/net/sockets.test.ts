// The conformance suite of the sockets: the same tests for each driver and backend.
import { describeBadInput } from './suite/bad-input.js';
import { describeBuffers } from './suite/buffers.js';
import { describeDeferredAccept } from './suite/deferred-accept.js';
import { describeEcho } from './suite/echo.js';
import { describeEnds } from './suite/ends.js';
import { describeFailures } from './suite/failures.js';
import { describeFlow } from './suite/flow.js';
import { describeHandlerErrors } from './suite/handler-errors.js';
import { describeListeners } from './suite/listeners.js';
import { describePromises } from './suite/promises.js';
import { describeStress } from './suite/stress.js';
import { describeTraps } from './suite/traps.js';
import { describeOn } from './tools.js';

describeOn(
  ['nested epoll', 'watcher epoll', 'watcher kqueue', 'watcher poll', 'watcher iocp'],
  'sockets',
  (context) => {
    describeEcho(context);
    describeEnds(context);
    describeFlow(context);
    describePromises(context);
    describeBuffers(context);
    describeListeners(context);
    describeDeferredAccept(context);
    describeFailures(context);
    describeHandlerErrors(context);
    describeBadInput(context);
    describeTraps(context);
    describeStress(context);
  },
);

// The conformance suite of UDP: the same tests for each driver and backend.
import { describeOn } from '../tools.js';
import { describeAncillary } from './suite/ancillary.js';
import { describeBatches } from './suite/batches.js';
import { describeEndpoints } from './suite/endpoints.js';
import { describeErrors } from './suite/errors.js';
import { describeFull } from './suite/full.js';
import { describeGivenSockets } from './suite/given-fds.js';
import { describeGroups } from './suite/groups.js';
import { describeInput } from './suite/input.js';
import { describeLife } from './suite/life.js';
import { describeOptions } from './suite/options.js';
import { describePromises } from './suite/promises.js';
import { describeSegments } from './suite/segments.js';
import { describeWaits } from './suite/waits.js';

describeOn(['nested epoll', 'watcher kqueue', 'watcher poll', 'watcher iocp'], 'UDP', (context) => {
  describePromises(context);
  describeBatches(context);
  describeEndpoints(context);
  describeFull(context);
  describeAncillary(context);
  describeSegments(context);
  describeErrors(context);
  describeGroups(context);
  describeLife(context);
  describeInput(context);
  describeWaits(context);
  describeOptions(context);
  describeGivenSockets(context);
});

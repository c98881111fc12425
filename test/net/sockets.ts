// The conformance suite of the sockets: the same tests for each driver and backend.
import type { Reactor } from 'tripoll';
import { describeBadInput } from './suite/bad-input.js';
import { describeBuffers } from './suite/buffers.js';
import { describeEcho } from './suite/echo.js';
import { describeEnds } from './suite/ends.js';
import { describeFailures } from './suite/failures.js';
import { describeFlow } from './suite/flow.js';
import { describeHandlerErrors } from './suite/handler-errors.js';
import { describeListeners } from './suite/listeners.js';
import { describePromises } from './suite/promises.js';
import { describeStress } from './suite/stress.js';
import { describeTraps } from './suite/traps.js';
import { Context, type Features } from './tools.js';

export function describeSockets(name: string, makeReactor: () => Reactor, features: Features): void {
  const context = new Context(makeReactor, features);

  describe(`sockets, ${name}`, () => {
    beforeEach(() => {
      context.setUp();
    });
    afterEach(() => context.tearDown());

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
    describeStress(context);
  });
}

// The conformance suite of Unix sockets: the same tests for each driver and backend.
import type { Reactor } from 'tripoll';
import { Context, type Features } from '../net/tools.js';
import { describeDatagrams } from './suite/datagrams.js';
import { describeFdPassing } from './suite/fd-passing.js';
import { describeNames } from './suite/names.js';
import { describeSeqpacket } from './suite/seqpacket.js';
import { describeStreams } from './suite/streams.js';

export function describeUnix(name: string, makeReactor: () => Reactor, features: Features): void {
  const context = new Context(makeReactor, features);

  describe(`Unix sockets, ${name}`, () => {
    beforeEach(() => {
      context.setUp();
    });
    afterEach(() => context.tearDown());

    describeStreams(context);
    describeNames(context);
    describeSeqpacket(context);
    describeFdPassing(context);
    describeDatagrams(context);
  });
}

// AsyncFd and what is built on it: the same tests for each driver and backend.
import type { Reactor } from 'tripoll';
import { Context, type Features } from '../net/tools.js';
import { describeAsyncFd } from './suite/async-fd.js';
import { describeFiles } from './suite/files.js';
import { describeKernelObjects } from './suite/kernel-objects.js';
import { describeNamespace } from './suite/namespace.js';
import { describeProcesses } from './suite/processes.js';

export function describeSources(name: string, makeReactor: () => Reactor, features: Features): void {
  const context = new Context(makeReactor, features);

  describe(`sources, ${name}`, () => {
    beforeEach(() => {
      context.setUp();
    });
    afterEach(() => context.tearDown());

    describeAsyncFd(context);
    describeFiles(context);
    describeKernelObjects(context);
    describeProcesses(context);
    describeNamespace(features.edge ? 'epoll' : 'poll');
  });
}

// AsyncFd and what is built on it: the same tests for each driver and backend.
import { describeOn } from '../net/tools.js';
import { describeAsyncFd } from './suite/async-fd.js';
import { describeFiles } from './suite/files.js';
import { describeKernelObjects } from './suite/kernel-objects.js';
import { describeNamespace } from './suite/namespace.js';
import { describeProcesses } from './suite/processes.js';

describeOn(['nested epoll', 'watcher poll'], 'sources', (context) => {
  describeAsyncFd(context);
  describeFiles(context);
  describeKernelObjects(context);
  describeProcesses(context);
  describeNamespace(context.features.edge ? 'epoll' : 'poll');
});

// What is built on AsyncFd: the same tests for each driver and backend.
import { capabilities } from 'tripoll';
import { describeOn } from '../tools.js';
import { describeFiles } from './suite/files.js';
import { describeHandlers } from './suite/handlers.js';
import { describeKernelObjects } from './suite/kernel-objects.js';
import { describeNamespace } from './suite/namespace.js';
import { describeProcesses } from './suite/processes.js';

describeOn(['nested epoll', 'watcher kqueue', 'watcher poll'], 'sources', (context) => {
  describeFiles(context);
  describeKernelObjects(context);
  describeHandlers(context);
  describeProcesses(context);
  describeNamespace(context.features.edge ? capabilities.backends[0]! : 'poll');
});

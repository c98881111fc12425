// AsyncFd: the same tests for each driver and backend.
import { describeOn } from '../tools.js';
import { describeAsyncFd } from './suite/async-fd.js';

describeOn(['nested epoll', 'watcher kqueue', 'watcher poll'], 'any fd', describeAsyncFd);

// The conformance suite of Unix sockets: the same tests for each driver and backend.
import { describeOn } from '../tools.js';
import { describeByteNames } from './suite/byte-names.js';
import { describeDatagrams } from './suite/datagrams.js';
import { describeFdPassing } from './suite/fd-passing.js';
import { describeGivenFds } from './suite/given-fds.js';
import { describeNames } from './suite/names.js';
import { describeSeqpacket } from './suite/seqpacket.js';
import { describeStreams } from './suite/streams.js';

describeOn(['nested epoll', 'watcher kqueue', 'watcher poll'], 'Unix sockets', (context) => {
  describeStreams(context);
  describeNames(context);
  describeByteNames(context);
  describeGivenFds(context);
  describeSeqpacket(context);
  describeFdPassing(context);
  describeDatagrams(context);
});

// The conformance suite of Unix sockets: the same tests for each driver and backend.
import { capabilities } from 'tripoll';
import { testIf } from '../../support/applies.js';
import { hasUnixSockets, NO_UNIX_MESSAGES, NO_UNIX_SOCKETS } from '../../support/kernel.js';
import { describeOn } from '../tools.js';
import { describeByteNames } from './suite/byte-names.js';
import { describeDatagrams } from './suite/datagrams.js';
import { describeFdPassing } from './suite/fd-passing.js';
import { describeGivenFds } from './suite/given-fds.js';
import { describeNames } from './suite/names.js';
import { describeSeqpacket } from './suite/seqpacket.js';
import { describeStreams } from './suite/streams.js';

describeOn(['nested epoll', 'watcher kqueue', 'watcher poll', 'watcher iocp'], 'Unix sockets', (context) => {
  if (!hasUnixSockets) {
    testIf(false, NO_UNIX_SOCKETS)('streams, names, sockets that were opened elsewhere');
    return;
  }
  describeStreams(context);
  describeNames(context);
  describeGivenFds(context);
  if (!capabilities.unixMessages) {
    testIf(false, NO_UNIX_MESSAGES)('names that are no UTF-8, seqpacket, fd passing, datagrams');
    return;
  }
  describeByteNames(context);
  describeSeqpacket(context);
  describeFdPassing(context);
  describeDatagrams(context);
});

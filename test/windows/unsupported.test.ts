// What Windows has not is refused by name, before anything is opened.
import { capabilities } from 'tripoll';
import { listenUnix, UnixDatagram, UnixListener, UnixStream } from 'tripoll/net';
import { Epoll, Kqueue, sys } from 'tripoll/raw';
import { rejection } from '../net/tools.js';
import { describeIf } from '../support/applies.js';
import { thrownBy, unsupported } from '../support/errors.js';

describeIf(capabilities.platform === 'win32', 'it is about Windows')('what Windows has not', () => {
  test('capabilities say so', () => {
    expect(capabilities).toMatchObject({ udp: true, unixSockets: false, splice: false, sendfile: false });
  });

  test('Unix sockets, other systems’ pollers', async () => {
    expect(await rejection(UnixListener.bind('x'))).toEqual(unsupported);
    expect(await rejection(UnixStream.connect('x'))).toEqual(unsupported);
    expect(await rejection(UnixDatagram.bind('x'))).toEqual(unsupported);
    expect(thrownBy(() => listenUnix({ path: 'x' }, {}))).toEqual(unsupported);
    expect(thrownBy(() => UnixStream.pair())).toEqual(unsupported);
    expect(await rejection(UnixStream.fromFd(4))).toEqual(unsupported);
    expect(await rejection(UnixListener.fromFd(4))).toEqual(unsupported);
    expect(await rejection(UnixDatagram.fromFd(4))).toEqual(unsupported);
    expect(thrownBy(() => sys.bindBytes(4, new Uint8Array(16)))).toEqual(unsupported);
    expect(thrownBy(() => new Epoll())).toEqual(unsupported);
    expect(thrownBy(() => new Kqueue())).toEqual(unsupported);
  });
});

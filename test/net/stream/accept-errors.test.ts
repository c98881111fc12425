// A kernel cannot be made to say these, so the call that would hear them is swapped.
import { Reactor } from 'tripoll';
import { listen, TcpStream } from 'tripoll/net';
import { native } from '#lib/binding/native';
import { within } from '../../support/deadline.js';

const codes = ['ECONNABORTED', 'EPROTO', 'EINTR', 'ENETDOWN', 'EHOSTUNREACH', 'EPERM'] as const;

describe('an accept that fails for one connection', () => {
  const { accept4 } = native;
  afterEach(() => {
    native.accept4 = accept4;
  });

  test.each(codes)('T41 %s: the listener goes on to the next', async (code) => {
    const reactor = new Reactor();
    let said = 0;
    native.accept4 = (fd, flags) => (said++ === 0 ? -(native.errnos[code] ?? 0) : accept4(fd, flags));
    const opened = new Promise<void>((resolve) => {
      const listener = listen({ host: '127.0.0.1', port: 0, reactor }, { open: () => resolve() });
      const { port = 0 } = listener.localAddress ?? {};
      TcpStream.connect({ host: '127.0.0.1', port }, { reactor }).catch(() => undefined);
    });
    await within(opened, 'the connection after it');
    expect(said).toBeGreaterThan(1);
    reactor.close();
  });
});

// T02: whoever owns an fd closes it, unless its number is a stranger's by then; all owners alike.
// IOCP cannot tell between two polls.
import { AsyncFd, bindUdp, connect, UdpSocket } from 'tripoll/net';
import { sys } from 'tripoll/raw';
import { within } from '../../support/deadline.js';
import { openSocketPair } from '../../support/pairs.js';
import { replaceByStranger, type Stranger } from '../../support/stranger.js';
import { deferred, describeOn, fdOf, LOOPBACK, turnOf, type Closable, type Context } from '../tools.js';

interface Owner extends Closable {
  readonly fd: number;
}

interface Inside {
  readonly registry: { slab: { slots: ({ fd: number } | undefined)[] } };
}

/** What can own an fd, open and idle. */
const owners: Record<string, (context: Context) => Promise<Owner>> = {
  'a listener with handlers': (context) => Promise.resolve(context.listen()),
  'a listener for promises': (context) => context.bind(),
  async 'a connection'(context) {
    const { connection } = await context.accepted();
    return Object.assign(connection, { fd: fdOf(connection) });
  },
  async 'a stream'(context) {
    const { stream } = await context.acceptedStream();
    return Object.assign(stream, { fd: fdOf(stream) });
  },
  async 'a UDP socket'(context) {
    const socket = context.own(await UdpSocket.bind(`${LOOPBACK}:0`, { reactor: context.reactor }));
    return { fd: (socket as unknown as Owner).fd, close: () => socket.close() };
  },
  'a UDP endpoint'(context) {
    const target = { host: LOOPBACK, port: 0, reactor: context.reactor };
    const endpoint = context.own(bindUdp(target, { datagrams: () => undefined }));
    return Promise.resolve({ fd: (endpoint as unknown as Owner).fd, close: () => endpoint.close() });
  },
  'an AsyncFd'(context) {
    const fds: number[] = [];
    openSocketPair(fds);
    const [fd = -1, other = -1] = fds;
    context.own({ close: () => void sys.close(other) });
    return Promise.resolve(context.own(new AsyncFd(fd, { reactor: context.reactor, own: true })));
  },
};

describeOn(
  ['nested epoll', 'watcher kqueue', 'watcher poll', 'watcher iocp'],
  'release of fds',
  (context) => {
    test.each(Object.keys(owners))(
      'T02 %s whose fd was closed and reused closes no stranger',
      async (name) => {
        const owner = await owners[name]!(context);
        const stranger = replaceByStranger(owner.fd);
        owner.close();
        await turnOf(context.reactor);
        expect(stranger.isOpen()).toBe(true);
        stranger.close();
      },
    );

    test.each(Object.keys(owners))('T02 nor does the end of the reactor of %s', async (name) => {
      const owner = await owners[name]!(context);
      const stranger = replaceByStranger(owner.fd);
      context.reactor.close();
      owner.close();
      expect(stranger.isOpen()).toBe(true);
      stranger.close();
    });

    test('T02 a connect attempt whose fd was closed and reused closes no stranger', async () => {
      const controller = new AbortController();
      const failed = deferred<Error | null>();
      const { port } = context.listen().localAddress!;
      const { reactor } = context;
      const connection = connect(
        { host: LOOPBACK, port, reactor, signal: controller.signal },
        { close: (_connection, error) => failed.resolve(error) },
      );
      const { slots } = (reactor as unknown as Inside).registry.slab;
      const stranger = replaceByStranger(Math.max(...slots.map((registration) => registration?.fd ?? -1)));
      controller.abort();
      await within(failed.promise, 'close');
      connection.close();
      expect(stranger.isOpen()).toBe(true);
      stranger.close();
    });

    test('T02 a loss that has been found and not been told yet, when the reactor closes', async () => {
      const { reactor } = context;
      const endpoint = context.own(
        bindUdp({ host: LOOPBACK, port: 0, reactor }, { datagrams: () => undefined }),
      );
      const found = deferred<Stranger>();
      reactor.post(() => {
        const stranger = replaceByStranger((endpoint as unknown as Owner).fd);
        endpoint.pause();
        reactor.close();
        found.resolve(stranger);
      });
      const stranger = await within(found.promise, 'a turn');
      expect(endpoint.closed).toBe(true);
      expect(stranger.isOpen()).toBe(true);
      stranger.close();
    });
  },
);

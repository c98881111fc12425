// Listening sockets that go from one reactor to another: what is in the backlog goes along.
import { attach, discardHandle, listenUnix, UnixStream } from 'tripoll/net';
import { testIf } from '../../../support/applies.js';
import { until, within } from '../../../support/deadline.js';
import { closed, thrownBy } from '../../../support/errors.js';
import { hasUnixSockets, NO_UNIX_SOCKETS } from '../../../support/kernel.js';
import { replaceByStranger } from '../../../support/stranger.js';
import { peerOf } from '../../stream/tools.js';
import { portOf, RawPeer, record, rejection, type Context } from '../../tools.js';
import { bindUnix, isSocketFile } from '../../unix/tools.js';
import { detached, otherReactor, sent } from '../tools.js';

export function describeListeners(context: Context): void {
  describe('a listener', () => {
    test('promises: who waits is rejected, and the backlog goes along', async () => {
      const listener = await context.bind();
      const waiting = rejection(listener.accept());
      const port = portOf(listener);
      const handle = await listener.detach();
      expect([await waiting, listener.closed]).toEqual([detached, true]);
      expect(await rejection(listener.detach())).toEqual(closed);
      const peer = context.own(new RawPeer(port));
      const reactor = otherReactor(context);
      const again = context.own(attach(sent(handle), { reactor }));
      expect([portOf(again), again.reactor]).toEqual([port, reactor]);
      const { stream } = await within(again.accept(), 'accept');
      context.own(stream);
      peer.send('x');
      expect(await within(stream.read(new Uint8Array(1)), 'read')).toBe(1);
      expect(thrownBy(() => attach(handle, { reactor }))).toEqual(closed);
    });

    test('its connections stay where they are', async () => {
      const listener = await context.bind();
      const peer = peerOf(context, listener);
      const { stream } = await within(listener.accept(), 'accept');
      context.own(stream);
      const handle = await listener.detach();
      peer.send('x');
      expect(await within(stream.read(new Uint8Array(1)), 'read')).toBe(1);
      expect(listener.connections).toBe(1);
      const shutting = listener.shutdown();
      stream.close();
      expect(await within(shutting, 'shutdown')).toEqual({ finished: 1, closed: 0 });
      expect(discardHandle(handle)).toBe(true);
    });

    test('handlers: the next owner has its own, and its own options', async () => {
      const told = record();
      const listener = context.listen(told.handlers);
      const handle = await listener.detach();
      const next = record();
      const reactor = otherReactor(context);
      const again = context.own(attach(handle, { reactor, handlers: next.handlers, maxConnections: 1 }));
      const peer = peerOf(context, again);
      const connection = context.own(await within(next.opened, 'open'));
      expect([connection.reactor, again.connections, told.events]).toEqual([reactor, 1, []]);
      expect(await peerOf(context, again).receiveToEnd()).toHaveLength(0);
      peer.close();
    });

    test('what cannot be attached as it is said stays as it was', async () => {
      const listener = await context.bind();
      const handle = await listener.detach();
      const { reactor } = context;
      expect(thrownBy(() => attach(handle, { reactor, maxConnections: -1 })).name).toBe('RangeError');
      expect(thrownBy(() => attach(handle, { reactor, handlers: { open: 1 } } as never)).name).toBe(
        'TypeError',
      );
      expect(portOf(context.own(attach(handle, { reactor })))).toBeGreaterThan(0);
    });

    test('T02 not a number that a stranger has by now', async () => {
      const listener = await context.bind();
      const stranger = replaceByStranger(listener.fd);
      const handle = await listener.detach().catch(() => null);
      expect([stranger.isOpen(), listener.closed]).toEqual([true, true]);
      if (handle !== null) discardHandle(handle);
      else stranger.close();
    });
  });
  if (hasUnixSockets) describe('a Unix listener', () => describeUnixListeners(context));
  else testIf(false, NO_UNIX_SOCKETS)('a Unix listener');
}

function describeUnixListeners(context: Context): void {
  test('its file goes along, and is unlinked by whoever closes it', async () => {
    const { listener, path } = await bindUnix(context);
    const handle = await listener.detach();
    listener.close();
    expect(isSocketFile(path)).toBe(true);
    const reactor = otherReactor(context);
    const first = context.own(attach(sent(handle), { reactor }));
    expect(first.localAddress).toBe(path);
    const next = await first.detach();
    expect(isSocketFile(path)).toBe(true);
    const second = context.own(attach(next, { reactor: context.reactor }));
    const [client, { stream }] = await within(
      Promise.all([UnixStream.connect(path, { reactor }), second.accept()]),
      'connected',
    );
    client.close();
    stream.close();
    second.close();
    expect(isSocketFile(path)).toBe(false);
  });

  test('discardHandle unlinks it too', async () => {
    const { listener, path } = await bindUnix(context);
    const handle = await listener.detach();
    expect(isSocketFile(path)).toBe(true);
    expect([discardHandle(handle), discardHandle(handle)]).toEqual([true, false]);
    expect(isSocketFile(path)).toBe(false);
  });

  test('handlers', async () => {
    const { listener, path } = await bindUnix(context);
    let received = '';
    const again = context.own(
      attach(await listener.detach(), {
        reactor: otherReactor(context),
        handlers: { data: (_connection, chunk) => void (received += Buffer.from(chunk).toString()) },
      }),
    );
    const client = context.own(await UnixStream.connect(path, { reactor: context.reactor }));
    await client.writeAll(Buffer.from('hello'));
    await until(() => received === 'hello', 'bytes');
    client.close();
    await until(() => again.connections === 0, 'the end');
    // One that was given has no file of its own.
    const given = listenUnix({ fd: again.fd, reactor: context.reactor }, {});
    expect((await given.detach().then(discardHandle)) && isSocketFile(path)).toBe(true);
  });
}

// A TCP socket that goes from one reactor to another, in both styles.
import type { TcpConnection, TcpStream } from 'tripoll/net';
import { attach, discardHandle, type SocketHandle } from 'tripoll/net';
import { testIf } from '../../../support/applies.js';
import { until, within } from '../../../support/deadline.js';
import { closed, state, thrownBy, timedOut } from '../../../support/errors.js';
import { replaceByStranger } from '../../../support/stranger.js';
import { blockedStream, fillSocket, holdWrites } from '../../stream/tools.js';
import {
  fdOf,
  pattern,
  portOf,
  record,
  rejection,
  turnOf,
  type Context,
  type RawPeer,
  type Recording,
} from '../../tools.js';
import { busy, detached, otherReactor, sent } from '../tools.js';

const aborted = { name: 'AbortError', code: 'ABORT_ERR' };

export function describeStreams(context: Context): void {
  describe('a TcpStream', () => describePromises(context));
  describe('a TcpConnection', () => describeHandlers(context));
}

/** One that was accepted, detached. */
async function moved(context: Context): Promise<{ handle: SocketHandle<'tcp'>; peer: RawPeer }> {
  const { stream, peer } = await context.acceptedStream();
  return { handle: await stream.detach(), peer };
}

function describePromises(context: Context): void {
  test('T05 takes along what nobody has read, and the old reactor hears nothing of it', async () => {
    const { stream, peer } = await context.acceptedStream();
    const fd = fdOf(stream);
    peer.send('unread');
    await within(stream.readable(), 'readable');
    const handle = await stream.detach();
    expect([stream.closed, stream.fd]).toEqual([true, -1]);
    expect(context.reactor.inspect().registrations).toBe(0);
    expect(await rejection(stream.read(new Uint8Array(1)))).toEqual(detached);
    peer.send(', more');
    const reactor = otherReactor(context);
    const again = context.own(attach(sent(handle), { reactor }));
    expect([again.fd, again.reactor]).toEqual([fd, reactor]);
    const buffer = new Uint8Array(64);
    let received = '';
    while (received.length < 12) {
      const length = await within(again.read(buffer), 'read');
      received += Buffer.from(buffer.subarray(0, length)).toString();
    }
    expect(received).toBe('unread, more');
    // What the old one does now means nothing to the socket.
    stream.close();
    context.reactor.setTimer(0, () => undefined);
    await turnOf(context.reactor);
    expect(context.reactor.inspect().staleEvents).toBe(0);
    await again.writeAll(Buffer.from('hello'));
    expect((await peer.receiveBytes(5)).toString()).toBe('hello');
  });

  test('a read that waits is rejected, and loses no byte', async () => {
    const { stream, peer } = await context.acceptedStream();
    const reading = rejection(stream.read(new Uint8Array(8)));
    const handle = await stream.detach();
    expect(await reading).toEqual(detached);
    peer.send('x');
    const again = context.own(attach(handle, { reactor: context.reactor }));
    expect(await within(again.read(new Uint8Array(8)), 'read')).toBe(1);
  });

  test('waits until what is queued is out; a part of the writes may come meanwhile', async () => {
    const { stream, peer, filledBytes } = await blockedStream(context);
    const first = pattern(100_000);
    const writes = [stream.writeAll(first)];
    let isDetached = false;
    const detaching = stream.detach().then((handle) => {
      isDetached = true;
      return handle;
    });
    writes.push(stream.writeAll(Buffer.from('second')));
    await turnOf(context.reactor);
    expect(isDetached).toBe(false);
    const bytes = await peer.receiveBytes(filledBytes + first.length + 6);
    expect(bytes.subarray(filledBytes)).toEqual(Buffer.concat([first, Buffer.from('second')]));
    expect(await Promise.all(writes)).toEqual([first.length, 6]);
    const again = context.own(attach(await within(detaching, 'detach'), { reactor: otherReactor(context) }));
    await again.writeAll(Buffer.from('third'));
    expect((await peer.receiveBytes(5)).toString()).toBe('third');
  });

  test('is whole when the time was up, or the signal aborted', async () => {
    const { stream, peer } = await context.acceptedStream();
    const release = holdWrites(stream);
    const writing = stream.writeAll(Buffer.from('queued'));
    expect(await rejection(stream.detach({ timeoutMs: 1 }))).toEqual(timedOut);
    const controller = new AbortController();
    const detaching = rejection(stream.detach({ signal: controller.signal }));
    controller.abort();
    expect(await detaching).toEqual(aborted);
    expect(await rejection(stream.detach({ signal: controller.signal }))).toEqual(aborted);
    expect((await rejection(stream.detach({ timeout: 1 } as never)))?.name).toBe('TypeError');
    expect((await rejection(stream.detach({ unread: 'x' } as never)))?.name).toBe('TypeError');
    expect(stream.queuedBytes).toBe(6);
    await release();
    expect((await peer.receiveBytes(6)).toString()).toBe('queued');
    expect(await within(writing, 'write')).toBe(6);
    peer.send('x');
    expect(await within(stream.read(new Uint8Array(1)), 'read')).toBe(1);
  });

  test('closed while it waits to be detached', async () => {
    const { stream } = await context.acceptedStream();
    holdWrites(stream);
    const writing = rejection(stream.writeAll(Buffer.from('queued')));
    const detaching = rejection(stream.detach());
    stream.close();
    expect([await writing, await detaching]).toEqual([closed, closed]);
    expect(await rejection(stream.detach())).toEqual(closed);
  });

  test('its reactor closes while it waits to be detached', async () => {
    const { stream } = await context.acceptedStream();
    holdWrites(stream);
    const writing = rejection(stream.writeAll(Buffer.from('queued')));
    const detaching = rejection(stream.detach());
    context.reactor.close();
    expect([await writing, await detaching]).toEqual([closed, closed]);
  });

  test('an end of our side stays one', async () => {
    const { stream, peer } = await context.acceptedStream();
    stream.end();
    const handle = await stream.detach();
    expect(handle.writeEnded).toBe(true);
    const again = context.own(attach(sent(handle), { reactor: otherReactor(context) }));
    expect([again.writeEnded, again.readEnded]).toEqual([true, false]);
    expect(await rejection(again.writeAll(Buffer.from('x')))).toEqual(state);
    peer.send('x');
    expect(await within(again.read(new Uint8Array(8)), 'read')).toBe(1);
    expect(await peer.receiveToEnd()).toHaveLength(0);
    peer.endWrite();
    expect(await within(again.read(new Uint8Array(8)), 'the end')).toBe(0);
    expect(again.closed).toBe(true);
  });

  test('an end that is queued is waited for', async () => {
    const { stream, peer, filledBytes } = await blockedStream(context);
    const writing = stream.writeAll(Buffer.from('last'));
    stream.end();
    const detaching = stream.detach();
    expect(await peer.receiveToEnd()).toHaveLength(filledBytes + 4);
    await writing;
    const handle = await within(detaching, 'detach');
    expect(handle.writeEnded).toBe(true);
    expect(discardHandle(handle)).toBe(true);
  });

  test('an end of the peer is read again, behind its last bytes', async () => {
    const { stream, peer } = await context.acceptedStream();
    peer.send('last');
    peer.endWrite();
    const again = context.own(attach(await stream.detach(), { reactor: otherReactor(context) }));
    expect(await within(again.read(new Uint8Array(8)), 'read')).toBe(4);
    expect(await within(again.read(new Uint8Array(8)), 'the end')).toBe(0);
    const more = context.own(attach(await again.detach(), { reactor: context.reactor }));
    expect(await within(more.read(new Uint8Array(8)), 'the end')).toBe(0);
    await more.writeAll(Buffer.from('bye'));
    expect((await peer.receiveBytes(3)).toString()).toBe('bye');
  });

  test('unref’d: whoever attaches it says anew whether it keeps the process alive', async () => {
    const { stream } = await context.acceptedStream();
    stream.unref();
    const handle = await stream.detach();
    const before = context.reactor.inspect().refs;
    const again = context.own(attach(handle, { reactor: context.reactor }));
    expect(context.reactor.inspect().refs).toBe(before + 1);
    again.unref();
    expect(context.reactor.inspect().refs).toBe(before);
  });

  test('the idle timeout is of whoever has it', async () => {
    const { stream } = await context.acceptedStream();
    const reactor = otherReactor(context);
    const again = context.own(attach(await stream.detach(), { reactor, idleTimeoutMs: 5 }));
    expect(await rejection(again.read(new Uint8Array(1)))).toEqual(timedOut);
  });

  test('what was read already goes along, and is the next owner’s', async () => {
    const { stream } = await context.acceptedStream();
    const lent = Buffer.from('head');
    const detaching = stream.detach({ unread: lent });
    lent.fill(0);
    const handle = sent(await detaching);
    expect(Buffer.from(handle.unread ?? [])).toEqual(Buffer.from('head'));
    expect(discardHandle(handle)).toBe(true);
  });

  test('T56 a handle is attached once, and closed once', async () => {
    const { handle, peer } = await moved(context);
    const again = context.own(attach(sent(handle), { reactor: context.reactor }));
    expect(thrownBy(() => attach(handle, { reactor: context.reactor }))).toEqual(closed);
    expect(discardHandle(handle)).toBe(false);
    const second = await again.detach();
    expect(second.id).not.toBe(handle.id);
    expect(discardHandle(second)).toBe(true);
    expect(discardHandle(second)).toBe(false);
    expect(thrownBy(() => attach(second, { reactor: context.reactor }))).toEqual(closed);
    expect(await peer.receiveToEnd()).toHaveLength(0);
  });

  test('T56 a forged or foreign handle takes nothing', async () => {
    const { handle, peer } = await moved(context);
    const { reactor } = context;
    for (const wrong of [
      { key: (handle.key + 1) % 2 ** 53 },
      { id: handle.id + 1 },
      { id: 1e12 },
      { key: 0 },
    ]) {
      expect(thrownBy(() => attach({ ...handle, ...wrong }, { reactor }))).toEqual(closed);
      expect(discardHandle({ ...handle, ...wrong })).toBe(false);
    }
    expect(thrownBy(() => attach({ ...handle, kind: 'udp' } as never, { reactor })).name).toBe('RangeError');
    const nothing = [undefined, null, 1, 'x', {}, { ...handle, kind: 'toString' }, { ...handle, id: '1' }];
    for (const wrong of nothing) {
      expect(thrownBy(() => attach(wrong as never, { reactor })).name).toBe('TypeError');
      expect(thrownBy(() => discardHandle(wrong as never)).name).toBe('TypeError');
    }
    expect(thrownBy(() => attach({ ...handle, id: 0.5 }, { reactor })).name).toBe('RangeError');
    const again = context.own(attach(handle, { reactor }));
    peer.send('x');
    expect(await within(again.read(new Uint8Array(1)), 'read')).toBe(1);
  });

  test('a handle is as good as before when it could not be attached', async () => {
    const { handle, peer } = await moved(context);
    const reactor = otherReactor(context);
    expect(thrownBy(() => attach(handle, { idle: 1 } as never)).name).toBe('TypeError');
    expect(thrownBy(() => attach(handle, { reactor, handlers: { data: 1 } } as never)).name).toBe(
      'TypeError',
    );
    expect(thrownBy(() => attach(handle, { reactor, idleTimeoutMs: -1 })).name).toBe('RangeError');
    reactor.close();
    expect(thrownBy(() => attach(handle, { reactor }))).toEqual(closed);
    expect(thrownBy(() => attach(handle, { reactor, handlers: {} }))).toEqual(closed);
    const again = context.own(attach(handle, { reactor: context.reactor }));
    await again.writeAll(Buffer.from('x'));
    expect((await peer.receiveBytes(1)).toString()).toBe('x');
  });

  testIf(context.features.priority !== false, 'this kqueue has no EVFILT_EXCEPT')(
    'not while urgent data is waited for: it is as it was',
    async () => {
      const { stream } = await context.acceptedStream();
      const urgent = rejection(stream.receiveUrgent());
      expect(await rejection(stream.detach())).toEqual(busy);
      stream.close();
      expect(await urgent).toEqual(closed);
    },
  );

  test('not before it is connected', async () => {
    const connection = context.connect(portOf(context.listen()));
    expect(await rejection(connection.detach())).toEqual(state);
    connection.close();
  });

  test('T02 not a number that a stranger has by now', async () => {
    const { stream } = await context.acceptedStream();
    const stranger = replaceByStranger(fdOf(stream));
    // IOCP cannot tell between two polls; then the stranger is what goes, and is not closed.
    const handle = await stream.detach().catch(() => null);
    expect(stranger.isOpen()).toBe(true);
    if (handle !== null) discardHandle(handle);
    else stranger.close();
  });

  test('of two who detach at once one has it', async () => {
    const { stream, peer, filledBytes } = await blockedStream(context);
    const writing = stream.writeAll(Buffer.from('queued'));
    const both = [stream.detach(), stream.detach()];
    const settled = Promise.allSettled(both);
    await peer.receiveBytes(filledBytes + 6);
    await writing;
    const results = await within(settled, 'both');
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    for (const result of results) if (result.status === 'fulfilled') discardHandle(result.value);
  });

  test('closes with its listener’s count, and takes no fd more', async () => {
    const listener = await context.bind();
    const client = await context.stream(portOf(listener));
    const { stream } = await within(listener.accept(), 'accept');
    const handle = await stream.detach();
    expect(listener.connections).toBe(0);
    expect(discardHandle(handle)).toBe(true);
    expect(await within(client.read(new Uint8Array(1)), 'the end')).toBe(0);
  });
}

interface Attachment {
  told: Recording;
  handle: SocketHandle<'tcp'>;
}

function attachWith(context: Context, handle: SocketHandle<'tcp'>): Attachment {
  const told = record();
  context.own(attach(sent(handle), { reactor: otherReactor(context), handlers: told.handlers }));
  return { told, handle };
}

/** Writes until some of it has to wait: how many bytes. */
async function queueOn(context: Context, connection: TcpConnection, peer: RawPeer): Promise<number> {
  let bytes = await fillSocket(context, fdOf(connection), peer);
  const chunk = new Uint8Array(10_000);
  // A system may take a write whole while it has room for a byte of it.
  for (let i = 0; connection.queuedBytes === 0 && i < 1000; i++) {
    connection.write(chunk);
    bytes += chunk.length;
  }
  return bytes;
}

function describeHandlers(context: Context): void {
  test('`close` is told, and `open` of the next before all else', async () => {
    const { connection, told, peer, listener } = await context.accepted();
    connection.pause();
    peer.send('unread');
    const handle = await connection.detach();
    expect(await within(told.closed, 'close')).toBeNull();
    expect([told.events, told.errors]).toEqual([['open', 'close'], []]);
    expect(listener.connections).toBe(0);
    const next = attachWith(context, handle);
    await until(() => next.told.received() === 6, 'bytes');
    expect([next.told.events, next.told.bytes().toString()]).toEqual([['open', 'data'], 'unread']);
    peer.endWrite();
    expect(await within(next.told.closed, 'close')).toBeNull();
  });

  test('from within `data`: what comes behind is the next owner’s', async () => {
    const handles: Promise<SocketHandle<'tcp'>>[] = [];
    const { told, peer } = await context.accepted({
      data: (connection, chunk) => void handles.push(connection.detach({ unread: chunk.subarray(4) })),
    });
    const bytes = pattern(300_000);
    const sending = peer.sendAll(bytes);
    await until(() => handles.length > 0, 'data');
    const handle = await within(handles[0]!, 'detach');
    const next = attachWith(context, handle);
    await sending;
    const head = Buffer.concat([Buffer.from(told.bytes().subarray(0, 4)), handle.unread ?? Buffer.of()]);
    await until(() => head.length + next.told.received() === bytes.length, 'the rest');
    expect(Buffer.concat([head, next.told.bytes()]).equals(bytes)).toBe(true);
    expect(handles).toHaveLength(1);
  });

  test('waits for its queue, and gets no bytes meanwhile', async () => {
    const { connection, told, peer } = await context.accepted();
    const filledBytes = await queueOn(context, connection, peer);
    const detaching = connection.detach();
    peer.send('for the next');
    for (let i = 0; i < 3; i++) await turnOf(context.reactor);
    await peer.receiveBytes(filledBytes);
    const next = attachWith(context, await within(detaching, 'detach'));
    await until(() => next.told.received() === 12, 'bytes');
    expect(told.received()).toBe(0);
  });

  test('what is corked is let go', async () => {
    const { connection, peer } = await context.accepted();
    connection.cork();
    connection.write(Buffer.from('corked'));
    const handle = await within(connection.detach(), 'detach');
    expect((await peer.receiveBytes(6)).toString()).toBe('corked');
    expect(discardHandle(handle)).toBe(true);
  });

  test('goes on when the time was up: bytes, and the end', async () => {
    const { connection, told, peer } = await context.accepted({}, { allowHalfOpen: true });
    const release = holdWrites(connection);
    const detaching = rejection(connection.detach({ timeoutMs: 1 }));
    peer.send('meanwhile');
    peer.endWrite();
    expect(await detaching).toEqual(timedOut);
    await within(told.ended, 'end');
    expect(told.bytes().toString()).toBe('meanwhile');
    await release();
    const handle = await within(connection.detach(), 'detach');
    expect(await within(told.closed, 'close')).toBeNull();
    expect(discardHandle(handle)).toBe(true);
  });

  test('a peek that waits is rejected', async () => {
    const { connection } = await context.accepted();
    const peeking = rejection(connection.peek(new Uint8Array(1)));
    const handle = await connection.detach();
    expect(await peeking).toEqual(detached);
    expect(discardHandle(handle)).toBe(true);
  });

  test('a second detach() is refused while one waits, and a close ends it', async () => {
    const { connection, told, peer } = await context.accepted();
    await queueOn(context, connection, peer);
    const detaching = rejection(connection.detach());
    expect(await rejection(connection.detach())).toEqual(busy);
    connection.close();
    expect(await detaching).toEqual(closed);
    expect(await within(told.closed, 'close')).toBeNull();
  });

  test('an end of our side stays one; the peer’s ends the connection', async () => {
    const { connection, peer } = await context.accepted();
    connection.end();
    const next = attachWith(context, await connection.detach());
    const opened = await within(next.told.opened, 'open');
    expect(thrownBy(() => opened.write(Buffer.from('x')))).toEqual(state);
    expect(await peer.receiveToEnd()).toHaveLength(0);
    peer.endWrite();
    expect(await within(next.told.closed, 'close')).toBeNull();
    expect(next.told.events).toEqual(['open', 'end', 'close']);
  });

  test('becomes one of the other style, and back', async () => {
    const { connection, peer } = await context.accepted();
    const stream: TcpStream = attach(await connection.detach(), { reactor: otherReactor(context) });
    context.own(stream);
    peer.send('1');
    expect(await within(stream.read(new Uint8Array(1)), 'read')).toBe(1);
    const next = attachWith(context, await stream.detach());
    const opened = await within(next.told.opened, 'open');
    expect([opened.listener, opened.closed]).toEqual([null, false]);
    peer.send('2');
    await until(() => next.told.received() === 1, 'bytes');
  });
}

// Unix datagram sockets that go from one reactor to another.
import { existsSync } from 'node:fs';
import { attach, bindUnixDatagram, discardHandle, UnixDatagram } from 'tripoll/net';
import { sys } from 'tripoll/raw';
import { until, within } from '../../../support/deadline.js';
import { closed, thrownBy, timedOut } from '../../../support/errors.js';
import { openedSince, openFds } from '../../../support/fds.js';
import { describeUnixMessages } from '../../../support/kernel.js';
import { replaceByStranger } from '../../../support/stranger.js';
import { rejection, type Context } from '../../tools.js';
import { closeAll, drainPipe, newPath, newPipe } from '../../unix/tools.js';
import { detached, otherReactor, sent } from '../tools.js';

const text = (chunk: Uint8Array): string => Buffer.from(chunk).toString();

export function describeUnixDatagrams(context: Context): void {
  describeUnixMessages('a UnixDatagram', () => {
    describePromises(context);
    describeHandlers(context);
  });
}

async function bound(context: Context, path = newPath()): Promise<{ socket: UnixDatagram; path: string }> {
  return { socket: context.own(await UnixDatagram.bind(path, { reactor: context.reactor })), path };
}

function senderTo(context: Context, path: string): UnixDatagram {
  const sender = context.own(UnixDatagram.unbound({ reactor: context.reactor }));
  sender.connect(path);
  return sender;
}

/** Sends more than the receiver has room for; the sends that wait are the rest. */
async function fill(sender: UnixDatagram): Promise<{ sentNow: number; waiting: Promise<number> }> {
  let sentNow = 0;
  for (;;) {
    let isSent = false;
    const waiting = sender.send(Buffer.from(String(sentNow))).then((length) => {
      isSent = true;
      return length;
    });
    waiting.catch(() => {});
    // It is sent at once, or waits.
    await new Promise(setImmediate);
    if (!isSent) return { sentNow, waiting };
    sentNow++;
  }
}

function describePromises(context: Context): void {
  test('messages that nobody has received go along, with their fds, and its file', async () => {
    const { socket, path } = await bound(context);
    const sender = senderTo(context, path);
    const receiving = rejection(socket.receive(new Uint8Array(8)));
    const handle = await socket.detach();
    expect([await receiving, handle.kind, socket.closed, existsSync(path)]).toEqual([
      ...[detached, 'unix-datagram', true, true],
    ]);
    expect(await rejection(socket.detach())).toEqual(closed);
    const [readEnd, writeEnd] = newPipe();
    await sender.sendFds(Buffer.from('one'), [writeEnd]);
    await sender.send(Buffer.from('second'));
    closeAll(writeEnd);
    const reactor = otherReactor(context);
    const again = context.own(attach(sent(handle), { reactor }));
    expect([again.reactor, again.localAddress]).toEqual([reactor, path]);
    const buffer = new Uint8Array(8);
    const { lengthBytes, fds } = await within(again.receive(buffer, { maxFds: 1 }), 'one');
    const fd = fds.take(0);
    sys.write(fd, Buffer.from('through it'));
    closeAll(fd);
    expect([lengthBytes, drainPipe(readEnd)]).toEqual([3, 'through it']);
    expect((await within(again.receive(buffer), 'second')).lengthBytes).toBe(6);
    expect(thrownBy(() => attach(handle, { reactor }))).toEqual(closed);
    again.close();
    expect(existsSync(path)).toBe(false);
    closeAll(readEnd);
  });

  test('a connected one stays so; fds that it has received and nobody took are closed', async () => {
    const { socket, path } = await bound(context);
    const sender = senderTo(context, path);
    const again = context.own(attach(await sender.detach(), { reactor: otherReactor(context) }));
    const [readEnd, writeEnd] = newPipe();
    await again.sendFds(Buffer.from('hi'), [writeEnd]);
    const before = openFds();
    await within(socket.receive(new Uint8Array(8), { maxFds: 1 }), 'hi');
    expect(openedSince(before).length).toBe(1);
    const handle = await socket.detach();
    expect(openedSince(before)).toEqual([]);
    expect([discardHandle(handle), existsSync(path), discardHandle(handle)]).toEqual([true, false, false]);
    closeAll(readEnd, writeEnd);
  });

  test('waits for sends that wait; is whole when the time was up', async () => {
    const { socket, path } = await bound(context);
    const sender = senderTo(context, path);
    const { sentNow, waiting } = await fill(sender);
    expect(await rejection(sender.detach({ timeoutMs: 1 }))).toEqual(timedOut);
    expect(await rejection(sender.detach({ timeoutMs: -1 }))).toMatchObject({ name: 'RangeError' });
    expect(sender.closed).toBe(false);
    const detaching = sender.detach();
    const seen: string[] = [];
    const buffer = new Uint8Array(8);
    while (seen.length <= sentNow) {
      const { lengthBytes } = await within(socket.receive(buffer), 'receive');
      seen.push(text(buffer.subarray(0, lengthBytes)));
    }
    expect(seen).toEqual(Array.from({ length: sentNow + 1 }, (_, i) => String(i)));
    expect(await within(waiting, 'the send')).toBe(String(sentNow).length);
    expect(discardHandle(await within(detaching, 'detach'))).toBe(true);
  });

  test('that is closed while it waits for sends rejects its detach', async () => {
    const { path } = await bound(context);
    const sender = senderTo(context, path);
    await fill(sender);
    const detaching = rejection(sender.detach());
    sender.close();
    expect(await within(detaching, 'detach')).toEqual(closed);
  });

  test('what cannot be attached as it is said stays as it was', async () => {
    const { socket, path } = await bound(context);
    const handle = await socket.detach();
    const { reactor } = context;
    for (const wrong of [{ nix: 1 }, { reactor: 1 }, { handlers: {} }, { handlers: { message: 1 } }])
      expect(thrownBy(() => attach(handle, { reactor, ...wrong } as never)).name).toBe('TypeError');
    expect(existsSync(path)).toBe(true);
    const again = context.own(attach(handle, { reactor }));
    expect(again.closed).toBe(false);
  });

  test('T02 not a number that a stranger has by now', async () => {
    const { socket } = await bound(context);
    const stranger = replaceByStranger(socket.fd);
    const handle = await socket.detach().catch(() => null);
    expect([stranger.isOpen(), socket.closed]).toEqual([true, true]);
    if (handle !== null) discardHandle(handle);
    else stranger.close();
  });
}

function describeHandlers(context: Context): void {
  test('a handler gives it away: what follows is the next owner’s, in either style', async () => {
    const path = newPath();
    const sender = context.own(UnixDatagram.unbound({ reactor: context.reactor }));
    const seen: string[] = [];
    let detaching: Promise<unknown> | null = null;
    const first = context.own(
      bindUnixDatagram(
        { path, reactor: context.reactor },
        {
          message(socket, chunk) {
            seen.push(`first ${text(chunk)}`);
            detaching = socket.detach().then((handle) => {
              context.own(
                attach(sent(handle), {
                  reactor: otherReactor(context),
                  handlers: { message: (_socket, next) => void seen.push(`second ${text(next)}`) },
                }),
              );
            });
          },
          close: () => void seen.push('closed'),
        },
      ),
    );
    sender.connect(path);
    for (const each of ['a', 'b', 'c']) await sender.send(Buffer.from(each));
    await until(() => seen.length === 4, 'all of it');
    await within(detaching!, 'detach');
    expect(seen.filter((each) => each !== 'closed')).toEqual(['first a', 'second b', 'second c']);
    expect([seen.includes('closed'), first.closed, existsSync(path)]).toEqual([true, true, true]);
  });
}

// Streams of tripoll in the shapes of Node and of the Web, and the reverse.
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { duplexPair, Duplex, PassThrough } from 'node:stream';
import type { ReadableStreamBYOBReader } from 'node:stream/web';
import { pipeline } from 'node:stream/promises';
import tls from 'node:tls';
import { capabilities } from 'tripoll';
import { fromDuplex, toDuplex, toWebStreams, type ByteEnds } from 'tripoll/node';
import { BatchWriter, copyBidirectional, FdStream, LineReader, type TcpStream } from 'tripoll/net';
import { testIf, testReset } from '../support/applies.js';
import { until, within } from '../support/deadline.js';
import { isWindows } from '../support/platform.js';
import { secrets } from '../support/secrets.js';
import {
  describeOn,
  pattern,
  readToEnd,
  rejection,
  rejectionError,
  turnOf,
  type Context,
} from '../net/tools.js';
import { kinds, pairOf, readAll, secureClient } from './tools.js';

const LEGS = ['nested epoll', 'watcher epoll', 'watcher kqueue', 'watcher poll', 'watcher iocp'] as const;
const onNode = testIf(capabilities.runtime === 'node', 'it compares with Node’s own streams');
const onNodeReset = capabilities.runtime === 'node' ? testReset : onNode;
const onUnix = testIf(!isWindows, 'Windows has no such fds');
const big = pattern(3_000_000);

function owned<T extends Duplex>(context: Context, duplex: T): T {
  context.own({ close: () => void duplex.destroy() });
  return duplex;
}

describeOn(LEGS, 'toDuplex', (context) => {
  for (const kind of kinds) {
    onNode(`a ${kind}: 3 MB both ways, what was read first, half-close`, async () => {
      const { socket, peer } = await pairOf(context, kind);
      const duplex = owned(context, toDuplex(socket, { unread: Buffer.from('first'), allowHalfOpen: true }));
      expect(duplex.readyState).toBe('open');
      peer.end(big);
      const all = await readAll(duplex);
      expect(Buffer.compare(all, Buffer.concat([Buffer.from('first'), big]))).toBe(0);
      const back = readAll(peer);
      duplex.end(big);
      expect(Buffer.compare(await back, big)).toBe(0);
      if (!duplex.closed) await within(once(duplex, 'close'), 'close');
    });
  }

  onNode('who does not read holds the writer back, and the error comes as Node’s', async () => {
    const { socket, peer } = await pairOf(context, 'TcpStream');
    const duplex = owned(context, toDuplex(socket));
    let writes = 0;
    while (writes < 1000 && duplex.write(big)) writes++;
    expect(writes).toBeLessThan(1000);
    const failed = once(duplex, 'error');
    peer.resetAndDestroy();
    expect((await within(failed, 'error'))[0]).toMatchObject({ code: 'ECONNRESET' });
  });

  onUnix('a pipe: bytes through, back-pressure, end, close', async () => {
    const { reader, writer } = FdStream.pipe({ reactor: context.reactor });
    const input = owned(context, toDuplex(reader, { writable: false }));
    const output = owned(context, toDuplex(writer, { readable: false }));
    let writes = 0;
    while (writes < 1000 && output.write(pattern(65_536))) writes++;
    expect(writes).toBeLessThan(1000);
    const count = writes + 1;
    const all = readAll(input);
    output.end();
    expect((await all).length).toBe(count * 65_536);
    await until(() => input.closed && output.closed, 'closed');
  });

  onUnix('a pipe that nobody reads any more is an error', async () => {
    const { reader, writer } = FdStream.pipe({ reactor: context.reactor });
    const output = owned(context, toDuplex(writer, { readable: false }));
    reader.close();
    output.write('x');
    expect((await within(once(output, 'error'), 'error'))[0]).toMatchObject({ code: 'EPIPE' });
  });

  onNode('any source and sink; destroy ends what waits; a wrong argument', async () => {
    let aborted = false;
    let closed = 0;
    const source = {
      read: (_buffer: Uint8Array, options?: { signal?: AbortSignal | undefined }) =>
        new Promise<number>((_resolve, reject) => {
          options?.signal?.addEventListener('abort', () => {
            aborted = true;
            reject(new Error('aborted'));
          });
        }),
      close: () => {
        closed++;
      },
    };
    const duplex = toDuplex(source, { unread: Buffer.from('x') });
    expect(duplex.writable).toBe(false);
    duplex.resume();
    await within(once(duplex, 'data'), 'data');
    duplex.destroy();
    await within(once(duplex, 'close'), 'close');
    expect([aborted, closed]).toEqual([true, 1]);
    for (const wrong of [{}, null, 1, []])
      expect(() => toDuplex(wrong as never)).toThrow(
        expect.objectContaining({ code: 'ERR_TRIPOLL_INVALID_ARG_TYPE' }) as Error,
      );
  });

  for (const kind of kinds)
    onNode(`a wrong option leaves a ${kind} as it was`, async () => {
      const { socket, peer } = await pairOf(context, kind);
      const wrong = { highWaterMark: -1, signal: 1, objectMode: true, keepAliveInitialDelay: '' };
      for (const [name, value] of Object.entries(wrong))
        expect(() => toDuplex(socket, { [name]: value })).toThrow(/ERR_|invalid|type|supported/i);
      const duplex = owned(context, toDuplex(socket));
      peer.end('still');
      expect((await readAll(duplex)).toString()).toBe('still');
    });

  for (const kind of kinds)
    onNode(`a signal that has aborted closes a ${kind}`, async () => {
      const { socket, peer } = await pairOf(context, kind);
      const ended = once(peer.resume(), 'end');
      const duplex = toDuplex(socket, { signal: AbortSignal.abort() });
      expect((await within(once(duplex, 'error'), 'error'))[0]).toMatchObject({ name: 'AbortError' });
      await within(ended, 'end');
    });

  onNode('what a source and a sink throw, at once or later, is an error of the Duplex', async () => {
    const broken = (): never => {
      throw new Error('broken');
    };
    const later = async (): Promise<never> => {
      await Promise.resolve();
      return broken();
    };
    const errorOf = async (ends: object, use: (duplex: Duplex) => unknown): Promise<unknown> => {
      const duplex = toDuplex({ read: () => new Promise<number>(() => {}), ...ends } as ByteEnds);
      const failed = once(duplex, 'error');
      use(duplex);
      const [error] = (await within(failed, 'error')) as [Error];
      if (!duplex.closed) await within(once(duplex, 'close'), 'close');
      return error.message;
    };
    const sink = { writeAll: () => Promise.resolve() };
    for (const call of [broken, later]) {
      expect(await errorOf({ read: call }, (duplex) => duplex.resume())).toBe('broken');
      expect(await errorOf({ writeAll: call }, (duplex) => duplex.write('x'))).toBe('broken');
      expect(await errorOf({ ...sink, end: call }, (duplex) => duplex.end())).toBe('broken');
      expect(await errorOf({ close: call }, (duplex) => duplex.destroy())).toBe('broken');
      expect(await errorOf({ close: call }, (duplex) => duplex.destroy(new Error('first')))).toBe('first');
    }
  });
});

describeOn(LEGS, 'fromDuplex', (context) => {
  /** TLS over a connection of Node's or of ours, both ends as Duplexes. */
  async function tlsPair(ours: boolean): Promise<{ client: tls.TLSSocket; server: tls.TLSSocket }> {
    const tlsServer = tls.createServer({ ...secrets, allowHalfOpen: true });
    const secured = once(tlsServer, 'secureConnection');
    if (ours) {
      const { client, server } = await context.streamPair();
      tlsServer.emit('connection', owned(context, toDuplex(server, { allowHalfOpen: true })));
      const client2 = owned(context, secureClient(owned(context, toDuplex(client, { allowHalfOpen: true }))));
      return {
        client: client2,
        server: owned(context, ((await within(secured, 'TLS')) as [tls.TLSSocket])[0]),
      };
    }
    tlsServer.listen(0, '127.0.0.1');
    await within(once(tlsServer, 'listening'), 'listening');
    const { port } = tlsServer.address() as AddressInfo;
    const client = owned(context, secureClient(net.connect(port, '127.0.0.1')));
    const [server] = (await within(secured, 'TLS')) as [tls.TLSSocket];
    tlsServer.close();
    return { client, server: owned(context, server) };
  }
  const from = (duplex: Duplex) => context.own(fromDuplex(duplex, { reactor: context.reactor }));

  for (const ours of [false, true]) {
    const over = ours ? 'tripoll' : 'node:net';
    onNode(`lines over TLS on ${over}`, async () => {
      const { client, server } = await tlsPair(ours);
      const writer = new BatchWriter(from(client));
      const lines = Array.from({ length: 2000 }, (_, i) => `line ${i} ${'x'.repeat(i % 300)}`);
      const writeAll = async (): Promise<void> => {
        for (const line of lines) await writer.write(Buffer.from(`${line}\n`));
        await writer.end();
      };
      // While they are read: a socket may take less than all.
      const ended = writeAll();
      const got: string[] = [];
      const reader = new LineReader(from(server));
      for (;;) {
        const line = await within(reader.read(), 'a line');
        if (line === null) break;
        got.push(Buffer.from(line).toString());
      }
      await ended;
      expect([got.length, got.join() === lines.join()]).toEqual([2000, true]);
    });

    onNode(`copyBidirectional between TLS on ${over} and TCP: 3 MB both ways, ends passed on`, async () => {
      const { client, server } = await tlsPair(ours);
      const { client: outer, server: inner } = await context.streamPair();
      const copied = copyBidirectional(from(server), inner, { unreadFromA: Buffer.from('first') });
      const sent = outer.writeAll(big).then(() => outer.end());
      const received = readAll(client);
      client.end(big);
      const there = await readToEnd(outer);
      await sent;
      expect(Buffer.compare(await received, big)).toBe(0);
      expect(Buffer.compare(there, Buffer.concat([Buffer.from('first'), big]))).toBe(0);
      expect(await within(copied, 'the copy')).toEqual({
        bytesFromA: big.length + 5,
        bytesFromB: big.length,
      });
    });
  }

  onNode('copyBidirectional cannot splice it, and says so', async () => {
    const [one] = duplexPair();
    const { client, server } = await context.streamPair();
    const copied = copyBidirectional(from(one), client, { splice: true });
    expect(await rejection(copied)).toMatchObject({ code: 'ERR_TRIPOLL_INVALID_ARG_TYPE' });
    expect([client.closed, server.closed]).toEqual([false, false]);
  });

  onNode('a cancelled read loses no byte; one at a time', async () => {
    const duplex = new PassThrough();
    const stream = from(duplex);
    const controller = new AbortController();
    const buffer = new Uint8Array(4);
    const waiting = stream.read(buffer, { signal: controller.signal });
    expect(await rejection(stream.read(buffer))).toMatchObject({ code: 'ERR_TRIPOLL_BUSY' });
    controller.abort();
    expect(await rejection(waiting)).toMatchObject({ code: 'ABORT_ERR' });
    expect(await rejection(stream.read(buffer, { timeoutMs: 1 }))).toMatchObject({
      code: 'ERR_TRIPOLL_TIMEOUT',
    });
    duplex.end('abcdef');
    expect(await within(stream.read(buffer), 'read')).toBe(4);
    expect(Buffer.from(buffer).toString()).toBe('abcd');
    expect(await within(stream.read(buffer), 'read')).toBe(2);
    expect(await within(stream.read(buffer), 'the end')).toBe(0);
    expect(await within(stream.read(buffer), 'the end again')).toBe(0);
  });

  onNode('writes that wait can be cancelled; one that has begun destroys it', async () => {
    const dones: (() => void)[] = [];
    const written: string[] = [];
    const duplex = new Duplex({
      read: () => undefined,
      write: (chunk: Buffer, _encoding, done) => {
        written.push(chunk.toString());
        dones.push(done);
      },
    });
    const stream = from(duplex);
    const controller = new AbortController();
    const first = stream.writeAll(Buffer.from('first'), { signal: controller.signal });
    const second = stream.writeAll(Buffer.from('second'), { timeoutMs: 1 });
    const third = stream.writeAll(Buffer.from('third'));
    expect(await rejection(second)).toMatchObject({ code: 'ERR_TRIPOLL_TIMEOUT' });
    dones.shift()?.();
    expect(await within(first, 'first')).toBe(5);
    expect(written).toEqual(['first', 'third']);
    controller.abort();
    expect(stream.closed).toBe(false);
    dones.shift()?.();
    await within(third, 'third');
    const fourth = stream.writeAll(Buffer.from('fourth'), { timeoutMs: 1 });
    expect(await rejection(fourth)).toMatchObject({ code: 'ERR_TRIPOLL_TIMEOUT' });
    expect([stream.closed, duplex.destroyed]).toEqual([true, true]);
    expect(await rejection(stream.writeAll(Buffer.from('x')))).toMatchObject({ code: 'ERR_TRIPOLL_STATE' });
  });

  onNode('an error, and a close without an end, reject what waits, after what had come', async () => {
    const failing = new PassThrough();
    const stream = from(failing);
    failing.write('abc');
    await within(once(failing, 'readable'), 'readable');
    failing.destroy(Object.assign(new Error('broken'), { code: 'EBROKEN' }));
    await until(() => failing.closed, 'close');
    const buffer = new Uint8Array(10);
    expect(await rejection(stream.writeAll(buffer))).toMatchObject({ code: 'EBROKEN' });
    expect(await within(stream.read(buffer), 'what had come')).toBe(3);
    expect(await rejection(stream.read(buffer))).toMatchObject({ code: 'EBROKEN' });
    const closing = new PassThrough();
    const other = from(closing);
    const waiting = other.read(buffer);
    closing.destroy();
    expect(await rejection(waiting)).toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' });
    const mine = from(new PassThrough());
    const read = mine.read(buffer);
    mine.close();
    expect(await rejection(read)).toMatchObject({ code: 'ERR_TRIPOLL_CLOSED' });
    expect(await rejection(mine.writeAll(buffer))).toMatchObject({ code: 'ERR_TRIPOLL_CLOSED' });
  });

  onNode('for await; a loop that is left leaves it open', async () => {
    const duplex = new PassThrough();
    const stream = from(duplex);
    duplex.write('one');
    for await (const chunk of stream) {
      expect(Buffer.from(chunk).toString()).toBe('one');
      break;
    }
    duplex.end('two');
    for await (const chunk of stream) expect(Buffer.from(chunk).toString()).toBe('two');
  });

  test.each([{}, null, new PassThrough({ objectMode: true })])('%# is no Duplex of bytes', (wrong) => {
    expect(() => fromDuplex(wrong as Duplex)).toThrow(
      expect.objectContaining({ code: 'ERR_TRIPOLL_INVALID_ARG_TYPE' }) as Error,
    );
    expect(() => fromDuplex(new PassThrough().setEncoding('utf8'))).toThrow(
      expect.objectContaining({ code: 'ERR_TRIPOLL_STATE' }) as Error,
    );
  });
});

describeOn(LEGS, 'toWebStreams', (context) => {
  async function readWeb(reader: ReadableStreamBYOBReader): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let memory = new ArrayBuffer(50_000);
    for (;;) {
      const { done, value } = await within(reader.read(new Uint8Array(memory)), 'read');
      if (done) return Buffer.concat(chunks);
      chunks.push(Buffer.from(value));
      memory = value.buffer;
    }
  }

  for (const kind of kinds) {
    onNode(`a ${kind}: 3 MB both ways, by BYOB reads, what was read first, half-close`, async () => {
      const { socket, peer } = await pairOf(context, kind);
      const { readable, writable } = toWebStreams(socket, {
        unread: Buffer.from('first'),
        reactor: context.reactor,
      });
      peer.end(big);
      const all = await readWeb(readable.getReader({ mode: 'byob' }));
      expect(Buffer.compare(all, Buffer.concat([Buffer.from('first'), big]))).toBe(0);
      const back = readAll(peer);
      const writer = writable.getWriter();
      await writer.write(big);
      await writer.write(Uint8Array.from(big.subarray(0, 8)).buffer);
      await writer.close();
      expect((await back).length).toBe(big.length + 8);
    });
  }

  onNode('bytes go into the reader’s own view, and nothing is read before it is asked for', async () => {
    const { socket, peer } = (await pairOf(context, 'TcpStream')) as { socket: TcpStream; peer: net.Socket };
    const { readable } = toWebStreams(socket);
    peer.write('abcdef');
    await until(() => peer.writableLength === 0, 'written');
    await socket.readable();
    expect(socket.bytesRead).toBe(0);
    const memory = new ArrayBuffer(16);
    const { value } = await readable.getReader({ mode: 'byob' }).read(new Uint8Array(memory, 4, 3));
    expect([value?.byteOffset, value?.byteLength, value?.buffer.byteLength]).toEqual([4, 3, 16]);
    expect([Buffer.from(value!).toString(), socket.bytesRead]).toEqual(['abc', 3]);
  });

  onNode('pipes to each other: an echo by pipeTo', async () => {
    const { client, server } = await context.streamPair();
    const web = toWebStreams(server);
    const piped = web.readable.pipeTo(web.writable);
    const duplex = owned(context, toDuplex(client, { allowHalfOpen: true }));
    const back = readAll(duplex);
    duplex.end(big);
    expect(Buffer.compare(await back, big)).toBe(0);
    await within(piped, 'pipeTo');
    expect(server.closed).toBe(true);
  });

  onNode('cancel ends a read that waits, and writing goes on; then close closes', async () => {
    const { client, server } = await context.streamPair();
    const { readable, writable } = toWebStreams(server);
    const reader = readable.getReader({ mode: 'byob' });
    const waiting = reader.read(new Uint8Array(10));
    await within(reader.cancel(), 'cancel');
    expect((await within(waiting, 'read')).done).toBe(true);
    const writer = writable.getWriter();
    await writer.write(Buffer.from('still'));
    await writer.close();
    expect((await readToEnd(client)).toString()).toBe('still');
    expect(server.closed).toBe(true);
  });

  onNodeReset('abort resets, and the readable errors with its reason', async () => {
    const { client, server } = await context.streamPair();
    const { readable, writable } = toWebStreams(server);
    const reader = readable.getReader();
    const waiting = reader.read();
    const reason = new Error('enough');
    const refused = waiting.catch((error: unknown) => error);
    const reset = rejection(client.read(new Uint8Array(1)));
    await writable.abort(reason);
    expect(await within(refused, 'read')).toBe(reason);
    expect(await reset).toMatchObject({ code: 'ECONNRESET' });
    expect(server.closed).toBe(true);
  });

  onNodeReset('a reset of the peer’s errors both', async () => {
    const { client, server } = await context.streamPair();
    const { readable, writable } = toWebStreams(server);
    const waiting = readable.getReader().read();
    await turnOf(context.reactor); // it is pulled in a microtask, and Wine may take a reset then for an end
    client.reset();
    expect(await rejection(waiting)).toMatchObject({ code: 'ECONNRESET' });
    const writer = writable.getWriter();
    writer.closed.catch(() => {});
    expect(await rejection(writer.write(Buffer.from('x')))).toMatchObject({ code: 'ECONNRESET' });
    expect(server.closed).toBe(true);
  });

  onNode('text is no bytes', async () => {
    const { server } = await context.streamPair();
    const writer = toWebStreams(server).writable.getWriter();
    writer.closed.catch(() => {});
    expect(await rejection(writer.write('text' as never))).toMatchObject({
      code: 'ERR_TRIPOLL_INVALID_ARG_TYPE',
    });
  });

  onNode('a Duplex of Node’s becomes Web streams too', async () => {
    const [one, other] = duplexPair();
    const { readable, writable } = toWebStreams(one, { reactor: context.reactor });
    void pipeline(other, other);
    const writer = writable.getWriter();
    const all = readWeb(readable.getReader({ mode: 'byob' }));
    await writer.write(pattern(100_000));
    await writer.close();
    expect(Buffer.compare(await all, pattern(100_000))).toBe(0);
  });

  onNodeReset('abort resets also while a write is under way', async () => {
    const { client, server } = await context.streamPair();
    const { writable } = toWebStreams(server);
    const writer = writable.getWriter();
    writer.closed.catch(() => {});
    const writing = rejection(writer.write(pattern(32 << 20)));
    // It has begun, and waits.
    await within(client.read(new Uint8Array(1)), 'read');
    const reason = new Error('enough');
    await within(writer.abort(reason), 'abort');
    await within(writing, 'write');
    expect(await rejection(readToEnd(client).then(({ length }) => length))).toMatchObject({
      code: 'ECONNRESET',
    });
    expect(server.closed).toBe(true);
  });

  /** A source and sink of the test's, whose calls fail where it says so. */
  const endsThat = (fail: { readonly [Call in 'writeAll' | 'end' | 'close']?: Error }) => {
    const calls: string[] = [];
    const call = (name: 'writeAll' | 'end' | 'close') => async (): Promise<void> => {
      calls.push(name);
      await Promise.resolve();
      if (fail[name] !== undefined) throw fail[name];
    };
    const read = (_buffer: Uint8Array, { signal }: { signal?: AbortSignal } = {}) =>
      new Promise<number>((_resolve, reject) => {
        signal?.addEventListener('abort', () => reject(new Error('aborted')));
      });
    const ends = { read, writeAll: call('writeAll'), end: call('end'), close: call('close') };
    return { calls, ...toWebStreams(ends) };
  };

  onNode('a write that fails after cancel closes it, and so does an end that fails', async () => {
    for (const name of ['writeAll', 'end'] as const) {
      const broken = new Error('broken');
      const { calls, readable, writable } = endsThat({ [name]: broken });
      await readable.cancel();
      const writer = writable.getWriter();
      writer.closed.catch(() => {});
      const failing = name === 'end' ? writer.close() : writer.write(Buffer.from('x'));
      expect(await rejectionError(failing)).toBe(broken);
      expect(calls).toEqual([name, 'close']);
    }
  });

  onNode('a close that fails is told to who has closed, and to nobody else', async () => {
    const broken = new Error('broken');
    const first = endsThat({ close: broken });
    await first.writable.close();
    expect(await rejectionError(first.readable.cancel())).toBe(broken);
    const second = endsThat({ close: broken });
    await second.readable.cancel();
    expect(await rejectionError(second.writable.close())).toBe(broken);
    const third = endsThat({ close: broken });
    expect(await rejectionError(third.writable.abort())).toBe(broken);
    const reason = new Error('first');
    const fourth = endsThat({ writeAll: reason, close: broken });
    const writer = fourth.writable.getWriter();
    writer.closed.catch(() => {});
    expect(await rejectionError(writer.write(Buffer.from('x')))).toBe(reason);
  });
});

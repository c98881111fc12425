// What needs a process of its own: its limits, its exit, its uncaught errors, its environment.
import { expectCleanExit, reportOf, runScript, type ChildResult } from '../../support/child.js';
import { legsHere } from '../tools.js';
import { testAnyFd, testFewFds, testSignals } from '../../support/applies.js';
import { streamRoomBytes } from '../../support/kernel.js';

/** What each script starts with. A report is one line of JSON, the last thing that it prints. */
function prelude({ driver, backend }: (typeof legsHere)[number]): string {
  return `
    'use strict';
    const { Reactor } = require('tripoll');
    const { listen, connect, TcpListener, TcpStream } = require('tripoll/net');
    const { sys } = require('tripoll/raw');
    const reactor = new Reactor({ driver: '${driver}', backend: '${backend}' });
    const host = '127.0.0.1';
    const report = (value) => console.log(JSON.stringify(value));
  `;
}

describe.each(legsHere)('sockets in a process of their own, $driver $backend', (combination) => {
  const run = (script: string, options = {}): Promise<ChildResult> =>
    runScript(`${prelude(combination)}\n${script}`, options);

  test('T51 an unreferenced listener lets the process end', async () => {
    expectCleanExit(await run(`listen({ host, port: 0, reactor }, {}).unref();`));
  });

  test('T51 a referenced connection keeps it alive, an unreferenced one does not', async () => {
    const result = await run(`
      const told = [];
      const listener = listen({ host, port: 0, reactor }, {
        open(connection) { connection.unref(); told.push('accepted'); },
        close() { told.push('server closed'); },
      }).unref();
      const client = connect({ host, port: listener.localAddress.port, reactor }, {
        open(connection) {
          told.push('connected');
          // The timer does not keep the process alive; that it fires is the connection's doing.
          reactor.setTimer(20, () => { told.push('let go'); connection.unref(); }).unref();
        },
      });
      process.on('exit', () => report(told.sort()));
    `);
    expect(reportOf(result)).toEqual(['accepted', 'connected', 'let go']);
  });

  test('a close that is due is told before the process ends', async () => {
    const result = await run(`
      const told = [];
      const listener = listen({ host, port: 0, reactor }, { close() { told.push('server'); } });
      connect({ host, port: listener.localAddress.port, reactor }, {
        open(connection) { connection.close(); listener.close(); },
        close() { told.push('client'); },
      });
      process.on('exit', () => report(told));
    `);
    expect(reportOf(result)).toContain('client');
  });

  test('connections that come and go make no error object: its stack would cost more than they do', async () => {
    const result = await run(`
      let made = 0;
      globalThis.Error = new Proxy(Error, {
        construct(target, args, self) { made++; return Reflect.construct(target, args, self); },
      });
      const listener = listen({ host, port: 0, reactor }, {
        data(connection, chunk) { connection.write(chunk); connection.close(); },
      });
      const { port } = listener.localAddress;
      const exchange = async () => {
        const stream = await TcpStream.connect({ host, port }, { reactor });
        await stream.writeAll(Buffer.from('ping'));
        const received = await stream.read(new Uint8Array(8));
        stream.close();
        return received;
      };
      const viaHandlers = () => new Promise((resolve) => {
        connect({ host, port, reactor }, {
          open(connection) { connection.write(Buffer.from('ping')); connection.end(); },
          close: resolve,
        });
      });
      (async () => {
        const received = [await exchange(), await exchange()];
        await viaHandlers();
        report({ received, made });
        listener.close();
      })();
    `);
    expect(reportOf(result)).toEqual({ received: [4, 4], made: 0 });
  });

  test('what a handler throws without an error handler is an uncaughtException, and destroys its connection', async () => {
    const result = await run(`
      const told = [];
      process.on('uncaughtException', (error) => told.push('uncaught ' + error.message));
      const listener = listen({ host, port: 0, reactor }, {
        data(connection, chunk) {
          if (chunk[0] === 33) throw new Error('sync');
          if (chunk[0] === 63) return Promise.reject(new Error('async'));
          connection.write(chunk);
        },
        close(connection, error) { told.push('close ' + error?.message); },
      });
      const talk = async (text) => {
        const stream = await TcpStream.connect({ host, port: listener.localAddress.port }, { reactor });
        await stream.writeAll(Buffer.from(text));
        const received = await stream.read(new Uint8Array(9));
        stream.close();
        return received;
      };
      (async () => {
        const received = [await talk('!'), await talk('?'), await talk('fine')];
        listener.close();
        process.on('exit', () => report({ received, told }));
      })();
    `);
    expect(reportOf(result)).toEqual({
      received: [0, 0, 4],
      told: ['uncaught sync', 'close sync', 'uncaught async', 'close async', 'close undefined'],
    });
  });

  test('without anybody to catch it, it ends the process as any uncaught error does', async () => {
    const result = await run(`
      const listener = listen({ host, port: 0, reactor }, { open() { throw new Error('nobody caught this'); } });
      connect({ host, port: listener.localAddress.port, reactor }, {});
    `);
    expect(result.code).toBe(1);
    expect(result.stderr).toContain('nobody caught this');
  });

  test.each(['close', 'error'])(
    'what %s throws is uncaught: there is no connection left to destroy',
    async (name) => {
      const result = await run(`
      const told = [];
      process.on('uncaughtException', (error) => told.push('uncaught ' + error.message));
      connect({ host: '255.255.255.255', port: 9, reactor }, {
        error() { told.push('error'); if ('${name}' === 'error') throw new Error('thrown'); },
        close() { told.push('close'); if ('${name}' === 'close') throw new Error('thrown'); },
      });
      process.on('exit', () => report(told));
    `);
      const uncaughtAt =
        name === 'error' ? ['error', 'uncaught thrown', 'close'] : ['error', 'close', 'uncaught thrown'];
      expect(reportOf(result)).toEqual(uncaughtAt);
    },
  );

  const keepChunks = `
    const kept = [];
    const listener = listen({ host, port: 0, reactor }, {
      data(connection, chunk) {
        kept.push(chunk);
        // Within the handler it is whole, and may be sent back.
        connection.write(chunk);
      },
      close() {
        listener.close();
        report({ kept: kept.map((chunk) => Buffer.from(chunk).toString('latin1')) });
      },
    });
    (async () => {
      const stream = await TcpStream.connect({ host, port: listener.localAddress.port }, { reactor });
      const buffer = new Uint8Array(10);
      await stream.writeAll(Buffer.from('abc'));
      const received = await stream.read(buffer);
      if (Buffer.from(buffer.subarray(0, received)).toString() !== 'abc') throw new Error('no echo');
      stream.close();
    })();
  `;

  test('TRIPOLL_DEBUG overwrites a chunk when its handler has returned', async () => {
    const result = await run(keepChunks, { env: { TRIPOLL_DEBUG: '1' } });
    expect(reportOf(result)).toEqual({ kept: ['\xdb\xdb\xdb'] });
  });

  test('without TRIPOLL_DEBUG nothing is spent on that', async () => {
    const result = await run(keepChunks, { env: { TRIPOLL_DEBUG: '' } });
    expect(reportOf(result)).toEqual({ kept: ['abc'] });
  });

  test('T07 TRIPOLL_DEBUG does not mind a chunk that was transferred away', async () => {
    const result = await run(
      `
      const listener = listen({ host, port: 0, reactor }, {
        data(connection, chunk) {
          const copy = Uint8Array.from(chunk);
          chunk.buffer.transfer?.(); // Node 21 and later
          connection.write(copy);
        },
        error(connection, error) { report(error.message); },
      });
      (async () => {
        const stream = await TcpStream.connect({ host, port: listener.localAddress.port }, { reactor });
        const buffer = new Uint8Array(10);
        let text = '';
        for (let i = 0; i < 3; i++) {
          await stream.writeAll(Buffer.from('m' + i));
          text += Buffer.from(buffer.subarray(0, await stream.read(buffer))).toString();
        }
        stream.close();
        listener.close();
        report(text);
      })();
    `,
      { env: { TRIPOLL_DEBUG: '1' } },
    );
    expect(reportOf(result)).toBe('m0m1m2');
  });

  testSignals('T43 a write to a peer that has reset does not kill, though SIGPIPE would', async () => {
    const result = await run(`
      // Node ignores SIGPIPE; taking a listener off again makes it deadly once more.
      const ignore = () => {};
      process.on('SIGPIPE', ignore);
      process.off('SIGPIPE', ignore);
      const { SOL_SOCKET, SO_LINGER, AF_INET, SOCK_STREAM } = sys.constants;
      const noLinger = new Uint8Array(new Int32Array([1, 0]).buffer);
      const rawPeer = (port) => {
        const fd = sys.socket(AF_INET, SOCK_STREAM);
        sys.connect(fd, { host, port });
        return { reset() { sys.setsockopt(fd, SOL_SOCKET, SO_LINGER, noLinger); sys.close(fd); } };
      };
      const codes = [];
      const wrote = (resolve) => (error) => { codes.push(error && error.code); resolve(); };
      (async () => {
        const bound = await TcpListener.bind({ host, port: 0 }, { reactor });
        const one = rawPeer(bound.localAddress.port);
        const { stream } = await bound.accept();
        one.reset();
        // The first takes the reset's error, those after it write into nothing: one alone, two
        // together.
        const fail = (error) => codes.push(error.code);
        await stream.write(Buffer.from('x')).catch(fail);
        await stream.write(Buffer.from('x')).catch(fail);
        bound.close();

        let connection;
        const listener = listen({ host, port: 0, reactor }, {
          open(opened) {
            connection = opened;
            connection.pause();
            two.reset();
            // By syscall, past the streams: takes the pending error away, so that what follows is
            // EPIPE.
            sys.getsockopt(connection.fd, SOL_SOCKET, sys.constants.SO_ERROR, new Uint8Array(4));
            connection.cork();
            connection.write(Buffer.from('x'));
            connection.write(Buffer.from('y'));
            connection.uncork();
          },
          close(closed, error) { codes.push(error && error.code); listener.close(); report(codes); },
        });
        const two = rawPeer(listener.localAddress.port);
      })();
    `);
    expect(reportOf(result)).toEqual(['ECONNRESET', 'ECONNRESET', 'EPIPE']);
  });

  // O_NONBLOCK belongs to the open file, which a duplicate, a child or who was passed the fd
  // shares.
  testAnyFd('T44 sockets that another owner has made blocking do not stop the loop', async () => {
    // More than all buffers between them hold.
    const long = streamRoomBytes() < 150_000 ? 2e6 : 48e6;
    const result = await run(`
      const { F_GETFL, F_SETFL, O_NONBLOCK } = sys.constants;
      const { UnixStream } = require('tripoll/net');
      const makeBlocking = (fd) => sys.fcntl(fd, F_SETFL, sys.fcntl(fd, F_GETFL) & ~O_NONBLOCK);
      const LONG = Buffer.alloc(${long}, 'x');
      const receiveAll = async (stream) => {
        const buffer = new Uint8Array(65536);
        let sum = 0;
        for (let received = 1; received > 0 && sum < LONG.length; sum += received) received = await stream.read(buffer);
        return sum;
      };
      const exchange = async (one, other, ways) => {
        makeBlocking(one.fd);
        await other.writeAll(Buffer.from('full'));
        const told = [await one.read(new Uint8Array(4))];
        // A read that filled its buffer does not say that there is no more: each of these asks the
        // system.
        for (const way of ways) {
          const waiting = one[way](new Uint8Array(4));
          await other.writeAll(Buffer.from('more'));
          const received = await waiting;
          told.push(received.lengthBytes ?? received);
          if (way === 'peek') await one.read(new Uint8Array(4));
        }
        // A queue of one, and of two, which go out together.
        for (const parts of [1, 2]) {
          const part = LONG.length / parts;
          const writing = Array.from({ length: parts }, (_, i) => one.writeAll(LONG.subarray(i * part, (i + 1) * part)));
          told.push(await receiveAll(other));
          await Promise.all(writing);
        }
        one.close();
        other.close();
        return told;
      };
      (async () => {
        const [one, other] = UnixStream.pair({ reactor });
        makeBlocking(one.fd);
        const sending = one.send(LONG, [1]);
        const told = [await receiveAll(other), await sending];
        told.push(await exchange(one, other, ['peek', 'read', 'receive']));
        const bound = await TcpListener.bind({ host, port: 0 }, { reactor });
        const client = await TcpStream.connect({ host, port: bound.localAddress.port }, { reactor });
        told.push(await exchange((await bound.accept()).stream, client, ['peek', 'read']));
        bound.close();
        const listener = listen({ host, port: 0, reactor, maxQueuedBytes: LONG.length }, {
          open(connection) {
            makeBlocking(connection.fd);
            connection.write(LONG);
            listener.close();
          },
        });
        const reader = await TcpStream.connect({ host, port: listener.localAddress.port }, { reactor });
        told.push(await receiveAll(reader));
        reader.close();

        // As much as the arena holds, all there before it is read.
        const { MSG_PEEK, MSG_DONTWAIT } = sys.constants;
        const ARENA = new Uint8Array(65536);
        let received = 0;
        const peer = await TcpListener.bind({ host, port: 0 }, { reactor });
        const connection = await new Promise((open) => {
          const handlers = { open, data(_, chunk) { received += chunk.length; } };
          const socketOptions = { receiveBufferBytes: 400_000 };
          connect({ host, port: peer.localAddress.port, reactor, socketOptions }, handlers);
        });
        const { stream } = await peer.accept();
        peer.close();
        makeBlocking(connection.fd);
        connection.pause();
        await stream.writeAll(ARENA);
        const there = () => sys.recv(connection.fd, ARENA, 0, ARENA.length, MSG_PEEK | MSG_DONTWAIT) === ARENA.length;
        while (!there()) await new Promise(setImmediate);
        connection.resume();
        while (received < ARENA.length) await new Promise(setImmediate);
        told.push(received);
        connection.close();
        stream.close();
        report(told);
      })();
    `);
    expect(reportOf(result)).toEqual([
      long,
      long,
      [4, 4, 4, 4, long, long],
      [4, 4, 4, long, long],
      long,
      65536,
    ]);
  });

  const exhaust = `
    const fs = require('node:fs');
    const { AF_INET, SOCK_STREAM, F_SETFL, O_NONBLOCK } = sys.constants;
    const clients = Array.from({ length: 8 }, () => sys.socket(AF_INET, SOCK_STREAM));
    const hoard = [];
    const useUpFds = () => {
      try { for (;;) hoard.push(fs.openSync('/dev/null', 'r')); } catch (error) { if (error.code !== 'EMFILE') throw error; }
    };
    const connectAll = (port) => {
      for (const fd of clients) { sys.connect(fd, { host, port }); sys.fcntl(fd, F_SETFL, O_NONBLOCK); }
    };
    const release = () => { for (const fd of hoard) fs.closeSync(fd); };
    const turnedAway = () => clients.filter((fd) => sys.recv(fd, new Uint8Array(1)) === 0).length;
  `;

  const runWithFewFds = (script: string): Promise<ChildResult> =>
    runScript(`${prelude(combination)}\n${exhaust}\n${script}`, { maxFds: 48 });

  testFewFds('T40 handlers, no fd left: told, no spin, and the listener recovers', async () => {
    const result = await runWithFewFds(`
      const drops = [];
      let turns = 0;
      let accepted = 0;
      const listener = listen({ host, port: 0, reactor }, {
        drop(_, info) {
          drops.push([info.reason, info.error.code]);
          if (drops.length === 1) turns = reactor.inspect().turns;
          if (drops.length < 3) return;
          turns = reactor.inspect().turns - turns;
          away = turnedAway();
          release();
        },
        open(connection) { if (++accepted === clients.length - 3) done(); connection.close(); },
      });
      let away = 0;
      const port = listener.localAddress.port;
      const done = () => {
        listener.close();
        for (const fd of clients) sys.close(fd);
        report({ drops, away, accepted, fewTurns: turns < 20 });
      };
      useUpFds();
      connectAll(port);
    `);
    const drop = ['no-fd', 'EMFILE'];
    expect(reportOf(result)).toEqual({ drops: [drop, drop, drop], away: 3, accepted: 5, fewTurns: true });
  });

  testFewFds('T40 promises, no fd left: accept() rejects, no spin, and the listener recovers', async () => {
    const result = await runWithFewFds(`
      (async () => {
        const listener = await TcpListener.bind({ host, port: 0 }, { reactor });
        useUpFds();
        connectAll(listener.localAddress.port);
        const codes = [];
        const before = reactor.inspect().turns;
        for (let i = 0; i < 3; i++) await listener.accept().catch((error) => codes.push(error.code));
        const turns = reactor.inspect().turns - before;
        const away = turnedAway();
        release();
        let accepted = 0;
        for (; accepted < clients.length - away; accepted++) (await listener.accept()).stream.close();
        listener.close();
        for (const fd of clients) sys.close(fd);
        report({ codes, away, accepted, fewTurns: turns < 20 });
      })();
    `);
    expect(reportOf(result)).toEqual({
      codes: ['EMFILE', 'EMFILE', 'EMFILE'],
      away: 3,
      accepted: 5,
      fewTurns: true,
    });
  });

  testFewFds('T40 for await, no fd left: the loop goes on, its drops are told, and no spin', async () => {
    const result = await runWithFewFds(`
      (async () => {
        const drops = [];
        const before = reactor.inspect().turns;
        let turns = 0;
        let away = 0;
        const drop = (from, { reason, error }) => {
          drops.push([from === listener, reason, error.code]);
          if (drops.length < 3) return;
          turns = reactor.inspect().turns - before;
          away = turnedAway();
          release();
        };
        const listener = await TcpListener.bind({ host, port: 0 }, { reactor, drop });
        useUpFds();
        connectAll(listener.localAddress.port);
        let accepted = 0;
        for await (const stream of listener) {
          stream.close();
          if (++accepted === clients.length - away) listener.close();
        }
        for (const fd of clients) sys.close(fd);
        report({ drops, away, accepted, fewTurns: turns < 20 });
      })();
    `);
    const drop = [true, 'no-fd', 'EMFILE'];
    expect(reportOf(result)).toEqual({ drops: [drop, drop, drop], away: 3, accepted: 5, fewTurns: true });
  });

  testFewFds(
    'T40 no fd left, and no spare one to turn anybody away with: it rests, and recovers',
    async () => {
      const result = await runWithFewFds(`
      useUpFds();
      fs.closeSync(hoard.pop());
      let accepted = 0;
      const listener = listen({ host, port: 0, reactor }, {
        open(connection) { accepted++; connection.close(); if (accepted === clients.length) done(); },
      });
      connectAll(listener.localAddress.port);
      const before = reactor.inspect().turns;
      let turns = 0;
      reactor.setTimer(350, () => {
        turns = reactor.inspect().turns - before;
        release();
      });
      const done = () => {
        listener.close();
        for (const fd of clients) sys.close(fd);
        report({ accepted, fewTurns: turns < 20, turns: turns < 20 ? 0 : turns });
      };
    `);
      expect(reportOf(result)).toEqual({ accepted: 8, fewTurns: true, turns: 0 });
    },
  );

  testFewFds('T40 no fd left for a connection of our own: its error is told', async () => {
    const result = await runWithFewFds(`
      const told = [];
      useUpFds();
      connect({ host, port: 9, reactor }, {
        error(_, error) { told.push(error.code); },
        close() { told.push('close'); },
      });
      process.on('exit', () => { release(); report(told); });
    `);
    expect(reportOf(result)).toEqual(['EMFILE', 'close']);
  });

  testFewFds('T40 a drop handler that throws, or that closes the reactor, ends nothing else', async () => {
    const result = await runWithFewFds(`
      const told = [];
      process.on('uncaughtException', (error) => told.push('uncaught ' + (error.code ?? error.message)));
      const listener = listen({ host, port: 0, reactor }, {
        drop() {
          told.push('drop');
          if (told.length === 1) throw new Error('thrown');
          release();
          reactor.close();
        },
      });
      process.on('exit', () => report({ told, closed: listener.closed }));
      useUpFds();
      connectAll(listener.localAddress.port);
    `);
    expect(reportOf(result)).toEqual({ told: ['drop', 'uncaught thrown', 'drop'], closed: true });
  });

  test('using and await using close what they hold', async () => {
    const result = await run(`
      (async () => {
        const listener = await TcpListener.bind({ host, port: 0 }, { reactor });
        const port = listener.localAddress.port;
        const closed = [];
        const first = await TcpStream.connect({ host, port }, { reactor });
        first[Symbol.dispose]();
        const second = await TcpStream.connect({ host, port }, { reactor });
        await second[Symbol.asyncDispose]();
        await listener[Symbol.asyncDispose]();
        const served = listen({ host, port: 0, reactor }, {});
        const third = connect({ host, port: served.localAddress.port, reactor }, {});
        third[Symbol.dispose]();
        const fourth = connect({ host, port: served.localAddress.port, reactor }, {});
        await fourth[Symbol.asyncDispose]();
        served[Symbol.dispose]();
        report([first, second, listener, third, fourth, served].map(({ closed }) => closed));
      })();
    `);
    expect(reportOf(result)).toEqual([true, true, true, true, true, true]);
  });
});

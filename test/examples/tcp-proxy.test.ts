import { once } from 'node:events';
import net from 'node:net';
import { within } from '../support/deadline.js';
import { digest, pattern } from '../net/tools.js';
import { expectExit, freePort, runExample, startServer, type Example } from './example.js';

let target: net.Server | undefined;
afterEach(() => {
  target?.close();
});

/** The server behind the proxy: what it does with a connection is the test's. */
async function start(serve: (socket: net.Socket) => void): Promise<{ running: Example; port: number }> {
  target = net.createServer({ allowHalfOpen: true }, serve).listen(0, '127.0.0.1');
  await once(target, 'listening');
  return startTo((target.address() as net.AddressInfo).port);
}

function startTo(targetPort: number): Promise<{ running: Example; port: number }> {
  return startServer(
    'tcp-proxy',
    ['127.0.0.1:0', `127.0.0.1:${targetPort}`],
    /^proxy on 127\.0\.0\.1:(\d+) to/m,
  );
}

async function collect(socket: net.Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

test('bytes pass both ways, for several at once, and SIGINT ends it', async () => {
  const { running, port } = await start((socket) => socket.pipe(socket));
  const sent = [1, 2, 3, 4].map((seed) => pattern(seed * 1_000_000, seed));
  const received = sent.map(async (bytes) => {
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    socket.end(bytes);
    return digest(await collect(socket));
  });
  expect(await within(Promise.all(received), 'echoes')).toEqual(sent.map(digest));

  const idle = net.connect(port, '127.0.0.1');
  idle.write('x');
  await within(once(idle, 'data'), 'an echo');
  running.interrupt();
  await expectExit(running, 0, '');
  idle.destroy();
});

test('half-close is passed on: the answer comes after the question has ended', async () => {
  const { port } = await start((socket) => {
    let length = 0;
    socket.on('data', (chunk: Buffer) => (length += chunk.length));
    socket.on('end', () => socket.end(`${length} bytes`));
  });
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.end(pattern(100_000));
  expect((await within(collect(socket), 'the answer')).toString()).toBe('100000 bytes');
});

test('the end of the server comes behind all that it has sent, though its client is slow', async () => {
  const page = pattern(24_000_000);
  const { port } = await start((socket) => socket.end(page));
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.end('GET');
  // By then the proxy has long been waiting for us.
  await within(once(socket, 'readable'), 'the first bytes');
  expect(digest(await within(collect(socket), 'the page'))).toBe(digest(page));
});

test('back-pressure: who does not read stops the one who writes', async () => {
  const { running, port } = await start((socket) => socket.pause());
  const socket = net.connect(port, '127.0.0.1');
  const piece = pattern(1_000_000);
  let sent = 0;
  // Each buffer of the way fills up: ours, the proxy's two sockets, the server's. Then no drain
  // comes any more.
  const stopped = new Promise<void>((resolve) => {
    const pump = (): void => {
      for (;;) {
        sent += piece.length;
        if (!socket.write(piece)) break;
      }
      const quiet = setTimeout(resolve, 300);
      socket.once('drain', () => {
        clearTimeout(quiet);
        pump();
      });
    };
    pump();
  });
  await within(stopped, 'a writer that waits');
  // The kernel's buffers hold 6 MB or so a socket; the proxy's own queue no more than its high
  // water mark.
  expect(sent).toBeLessThan(60_000_000);
  socket.destroy();
  running.interrupt();
  await expectExit(running, 0);
});

test('a target that refuses: the client is reset, the proxy goes on', async () => {
  const { running, port } = await startTo(await freePort());
  for (let i = 0; i < 2; i++) {
    const socket = net.connect(port, '127.0.0.1');
    const [error] = (await within(
      once(socket, 'error').catch((e: unknown) => [e]),
      'an error',
    )) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNRESET');
  }
  expect(running.errors()).toContain('ECONNREFUSED');
  running.interrupt();
  await expectExit(running, 0);
});

test.each([[[]], [['127.0.0.1:0']], [['127.0.0.1:0', 'nonsense']]])('%j: usage', async (args: string[]) => {
  await expectExit(runExample('tcp-proxy', args), 2, 'usage:');
});

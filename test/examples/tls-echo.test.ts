import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import tls from 'node:tls';
import { capabilities } from 'tripoll';
import { digest, pattern } from '../net/tools.js';
import { describeIf } from '../support/applies.js';
import { within } from '../support/deadline.js';
import { temporaryFolder } from '../support/folders.js';
import { isWindows } from '../support/platform.js';
import { secrets } from '../support/secrets.js';
import { expectExit, runExample, startServer, type Example } from './example.js';

const folder = temporaryFolder();
const files = ['key', 'cert'].map((name) => path.join(folder, `${name}.pem`));
writeFileSync(files[0]!, secrets.key);
writeFileSync(files[1]!, secrets.cert);

function start(way: string): Promise<{ running: Example; port: number }> {
  return startServer('tls-echo', [way, ...files, '127.0.0.1:0'], /^TLS echo on 127\.0\.0\.1:(\d+)$/m);
}

function connect(port: number): tls.TLSSocket {
  return tls.connect({ port, host: '127.0.0.1', ca: secrets.cert, checkServerIdentity: () => undefined });
}

async function echoed(port: number, sent: Buffer): Promise<string> {
  const chunks: Buffer[] = [];
  const socket = connect(port).on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.end(sent);
  await within(once(socket, 'end'), 'the end');
  return digest(Buffer.concat(chunks));
}

describeIf(capabilities.runtime === 'node', 'it is about Node’s own TLS')('tls-echo', () => {
  test.each(['duplex', ...(isWindows ? [] : ['handover'])])(
    '%s: it echoes, and ends on SIGINT',
    async (way) => {
      const { running, port } = await start(way);
      const sent = [1, 2, 3, 4].map((seed) => pattern(seed * 300_000, seed));
      const received = await Promise.all(sent.map((bytes) => echoed(port, bytes)));
      expect(received).toEqual(sent.map(digest));
      const idle = connect(port);
      idle.on('error', () => {});
      idle.write('x');
      await within(once(idle, 'data'), 'the echo of the last');
      running.interrupt();
      await expectExit(running, 0, '');
      idle.destroy();
    },
  );

  test('what is no TLS is refused, and not the end of the others', async () => {
    const { running, port } = await start('duplex');
    const response = await fetch(`http://127.0.0.1:${port}/`).catch(() => null);
    expect(response).toBeNull();
    expect(await echoed(port, Buffer.from('hello'))).toBe(digest(Buffer.from('hello')));
    running.interrupt();
    await expectExit(running, 0);
  });
});

test.each([[['--help']], [['other', ...files]], [['duplex', ...files, 'localhost:0']]])(
  '%j: usage',
  async (args) => {
    await expectExit(runExample('tls-echo', args), 2, 'usage:');
  },
);

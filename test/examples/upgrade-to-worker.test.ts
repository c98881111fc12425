import { once } from 'node:events';
import net from 'node:net';
import { until, within } from '../support/deadline.js';
import { expectExit, runExample, startServer, type Example } from './example.js';

const start = (): Promise<{ running: Example; port: number }> =>
  startServer(
    'upgrade-to-worker',
    ['127.0.0.1:0', '10.0.0.1=red', '10.0.0.2=blue', '::1=red'],
    /^front on 127\.0\.0\.1:(\d+) for red, blue$/m,
  );

/** All that came, as it comes. */
function talk(port: number, first: string): { socket: net.Socket; said: () => string } {
  const socket = net.connect(port, '127.0.0.1');
  let text = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
  socket.write(first);
  return { socket, said: () => text };
}

test('a connection goes to its tenant’s thread, with what came behind the header', async () => {
  const { running, port } = await start();
  const red = talk(port, 'PROXY TCP4 192.0.2.1 10.0.0.1 5000 80\r\nearly\n');
  const blue = talk(port, 'PROXY TCP4 192.0.2.2 10.0.0.2 5000 80\r\n');
  const six = talk(port, 'PROXY TCP6 2001:db8::1 ::1 5000 80\r\n');
  await until(() => red.said().endsWith('early\n'), 'what was early');
  red.socket.write('late\n');
  await until(() => red.said().endsWith('late\n'), 'what was late');
  await until(() => blue.said().endsWith('\n') && six.said().endsWith('\n'), 'the others');
  const threadOf = (text: string): string | undefined => /thread (\d+)/.exec(text)?.[1];
  expect(red.said()).toMatch(/^hello 192\.0\.2\.1, this is thread [1-9]\d* of red\nearly\nlate\n$/);
  expect(blue.said()).toMatch(/^hello 192\.0\.2\.2, this is thread [1-9]\d* of blue\n$/);
  expect(threadOf(six.said())).toBe(threadOf(red.said()));
  expect(threadOf(blue.said())).not.toBe(threadOf(red.said()));
  red.socket.end();
  await within(once(red.socket, 'close'), 'its end');
  running.interrupt();
  await expectExit(running, 0, '');
});

test.each([
  ['no header', 'GET / HTTP/1.1\r\n\r\n'],
  ['nobody’s', 'PROXY TCP4 192.0.2.1 10.0.0.9 5000 80\r\n'],
  ['an address of another family', 'PROXY TCP4 ::1 10.0.0.1 5000 80\r\n'],
  ['a line without end', 'PROXY '.padEnd(200, 'x')],
])('%s: the connection is reset, and the front goes on', async (_, first) => {
  const { running, port } = await start();
  const { socket } = talk(port, first);
  const [error] = (await within(
    once(socket, 'error').catch((e: unknown) => [e]),
    'an error',
  )) as [NodeJS.ErrnoException];
  expect(error.code).toBe('ECONNRESET');
  const red = talk(port, 'PROXY TCP4 192.0.2.1 10.0.0.1 5000 80\r\n');
  await until(() => red.said().endsWith('of red\n'), 'the next');
  running.interrupt();
  await expectExit(running, 0);
});

test.each([[[]], [['127.0.0.1:0']], [['127.0.0.1:0', 'red']], [['127.0.0.1:0', 'name=red']]])(
  '%j: usage',
  async (args: string[]) => {
    await expectExit(runExample('upgrade-to-worker', args), 2, 'usage:');
  },
);

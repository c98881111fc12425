import { once } from 'node:events';
import net from 'node:net';
import { until, within } from '../support/deadline.js';
import { expectExit, runExample, startServer, type Example } from './example.js';

let clients: Client[] = [];
afterEach(() => {
  for (const client of clients) client.socket.destroy();
  clients = [];
});

function start(): Promise<{ running: Example; port: number }> {
  return startServer('chat-server', ['0'], /^chat on 127\.0\.0\.1:(\d+)$/m);
}

/** Somebody at a keyboard: reads all that is said, unless told not to. */
class Client {
  readonly socket: net.Socket;
  readonly lines: string[] = [];
  readonly closed: Promise<unknown>;
  #rest = '';

  constructor(port: number) {
    this.socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
    this.socket.setEncoding('utf8').on('error', () => {}); // told by its close
    this.socket.on('data', (text: string) => {
      const lines = (this.#rest + text).split('\n');
      this.#rest = lines.pop() ?? '';
      this.lines.push(...lines);
    });
    this.closed = once(this.socket, 'close');
    clients.push(this);
  }

  async hears(line: string): Promise<void> {
    try {
      await until(() => this.lines.includes(line), 'line');
    } catch {
      throw new Error(`not heard: ${line}; but: ${this.lines.slice(-20).join(' | ')}`);
    }
  }

  write(text: string | Buffer): void {
    this.socket.write(text);
  }
}

async function enter(port: number, name: string, count: number): Promise<Client> {
  const client = new Client(port);
  await client.hears('your name?');
  client.write(`${name}\n`);
  await client.hears(`* ${name} has come, ${count} here`);
  return client;
}

test('all hear what is said, who comes and who goes', async () => {
  const { running, port } = await start();
  const ann = await enter(port, 'Ann', 1);
  const bob = await enter(port, 'Bob', 2);
  await ann.hears('* Bob has come, 2 here');
  const cem = await enter(port, 'Cem', 3);
  bob.write('hello\n');
  for (const client of [ann, bob, cem]) await client.hears('Bob: hello');
  cem.socket.end();
  await within(cem.closed, 'the end');
  await ann.hears('* Cem has gone');
  bob.socket.resetAndDestroy();
  await ann.hears('* Bob has gone');
  ann.write('alone\n');
  await ann.hears('Ann: alone');
  running.interrupt();
  await ann.hears('* closing');
  await expectExit(running, 0);
});

test('lines that are cut anywhere, several in a packet, with CRLF, and in UTF-8', async () => {
  const { port } = await start();
  const ann = await enter(port, 'Ann', 1);
  const bob = new Client(port);
  await bob.hears('your name?');
  for (const byte of Buffer.from('Bøb\r\n')) bob.write(Buffer.from([byte]));
  await bob.hears('* Bøb has come, 2 here');
  bob.write('one\ntwo\r\n\n   \nthr');
  await ann.hears('Bøb: two');
  const euro = Buffer.from('ee €\n');
  bob.write(euro.subarray(0, 4));
  ann.write('between\n');
  await bob.hears('Ann: between');
  bob.write(euro.subarray(4));
  await ann.hears('Bøb: three €');
  expect(ann.lines.filter((line) => line.startsWith('Bøb:'))).toEqual([
    'Bøb: one',
    'Bøb: two',
    'Bøb: three €',
  ]);
});

test('a line that is too long ends its sender, and only that', async () => {
  const { running, port } = await start();
  const ann = await enter(port, 'Ann', 1);
  const bob = await enter(port, 'Bob', 2);
  bob.write(`${'x'.repeat(1024)}\n`);
  await ann.hears(`Bob: ${'x'.repeat(1024)}`);
  bob.write('y'.repeat(1025));
  await within(bob.closed, 'hung up on');
  await ann.hears('* Bob has gone');
  ann.write('still here\n');
  await ann.hears('Ann: still here');
  expect(running.errors()).toMatch(/^Bob: .*1024/m);
});

test.each(['', 'n'.repeat(21)])('%j is no name', async (name) => {
  const { port } = await start();
  const ann = await enter(port, 'Ann', 1);
  const other = new Client(port);
  // What comes after it is nobody's.
  other.write(`${name}\nBob\nhello\n`);
  await other.hears('a name has 1 to 20 characters');
  await within(other.closed, 'hung up on');
  ann.write('x\n');
  await ann.hears('Ann: x');
  expect(ann.lines).toEqual(['your name?', '* Ann has come, 1 here', 'Ann: x']);
});

test('who does not read what is said is dropped; the others hear all of it', async () => {
  const { running, port } = await start();
  const ann = await enter(port, 'Ann', 1);
  const slow = await enter(port, 'Slow', 2);
  slow.socket.pause();
  const line = 'z'.repeat(1000);
  let said = 0;
  const dropped = (): boolean => running.errors().includes('Slow:');
  while (!dropped() && said < 200_000) {
    ann.lines.length = 0;
    ann.write(`${line}\n`.repeat(100));
    said += 100;
    // Ann keeps up with the talk: she is not to be dropped herself.
    await until(() => dropped() || ann.lines.length >= 100, 'all that was said');
  }
  expect(said).toBeGreaterThan(200);
  ann.write('the last\n');
  await ann.hears('* Slow has gone');
  await ann.hears('Ann: the last');
  expect(running.errors()).toMatch(/^Slow: /m);
  expect(running.errors()).not.toContain('Ann');
});

test('somebody who has ended, but is not read empty, hurts nobody', async () => {
  const { running, port } = await start();
  const ann = await enter(port, 'Ann', 1);
  const mute = await enter(port, 'Mute', 2);
  mute.socket.pause();
  // So much that her end comes while much waits for her.
  for (let i = 0; i < 150; i++) ann.write(`${'z'.repeat(1000)}\n`);
  await until(() => ann.lines.length >= 152, 'all that was said');
  mute.socket.end('bye\n');
  await ann.hears('* Mute has gone');
  ann.write('still here\n');
  await ann.hears('Ann: still here');
  running.interrupt();
  await expectExit(running, 0, '');
});

test('SIGINT ends it also with strangers, and with members who neither read nor hang up', async () => {
  const { running, port } = await start();
  const stranger = new Client(port);
  await stranger.hears('your name?');
  const ann = await enter(port, 'Ann', 1);
  const stuck = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true }).on('error', () => {});
  stuck.write('Stuck\n');
  await ann.hears('* Stuck has come, 2 here');
  stuck.pause();
  running.interrupt();
  await ann.hears('* closing');
  expect(await within(running.exited, 'exit', 5000)).toEqual({ code: 0, signal: null });
  expect(running.errors()).toBe('');
  stuck.destroy();
});

test.each([[['--help']], [['0', 'more']], [['x']]])('%j: usage', async (args) => {
  await expectExit(runExample('chat-server', args), 2, 'usage:');
});

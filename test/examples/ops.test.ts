import { once } from 'node:events';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { capabilities } from 'tripoll';
import type { ChromeTrace } from 'tripoll/observe';
import { testIf } from '../support/applies.js';
import { runCommand } from '../support/child.js';
import { until, within } from '../support/deadline.js';
import { isWindows } from '../support/platform.js';
import { brokenRules, named } from '../observe/trace-rules.js';
import { expectExit, runExample, startServer, type Example } from './example.js';

const LISTENING = /listens on 127\.0\.0\.1:(\d+)/;

let sockets: Socket[] = [];
/** What watchdogs may have written. */
let traces: string[] = [];
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  for (const file of traces) rmSync(file, { force: true });
  [sockets, traces] = [[], []];
});

interface Ops {
  readonly running: Example;
  readonly port: number;
  /** Where the watchdog writes a trace. */
  readonly trace: string;
  /** What is answered on a path of its HTTP server. */
  ask(path: string, method?: string): Promise<string>;
}

async function start(...more: string[]): Promise<Ops> {
  const { running, port } = await startServer('ops', ['0', '0', ...more], LISTENING);
  const [, trace = ''] = await running.printed(/the watchdog writes (.+)/);
  traces.push(trace);
  const [, place = ''] = await running.printed(/metrics on (http:\/\/127\.0\.0\.1:\d+)\/metrics/);
  const ask = async (path: string, method = 'GET'): Promise<string> => {
    const response = await within(fetch(place + path, { method }), 'an answer by HTTP');
    return `${response.status} ${await response.text()}`;
  };
  return { running, port, trace, ask };
}

interface Client {
  readonly socket: Socket;
  /** What it was told. */
  readonly lines: string[];
  told(...requests: string[]): Promise<string[]>;
}

function newClient(port: number): Client {
  const socket = connect(port, '127.0.0.1').setEncoding('utf8');
  sockets.push(socket);
  const lines: string[] = [];
  let rest = '';
  socket.on('data', (text) => {
    const all = (rest + String(text)).split('\n');
    rest = all.pop()!;
    lines.push(...all);
  });
  const told = async (...requests: string[]): Promise<string[]> => {
    const before = lines.length;
    socket.write(requests.map((request) => `${request}\n`).join(''));
    await until(() => lines.length >= before + requests.length, 'the answers');
    return lines.slice(before);
  };
  return { socket, lines, told };
}

test('each request is answered, and a wrong one told so', async () => {
  const { running, port } = await start();
  const { socket, told } = newClient(port);
  for (const name of ['hello', 'block 1', 'task 1', 'relay block 1'])
    expect(await told(name)).toEqual([`${/hello|block|task/.exec(name)![0]}: done`]);
  expect(await told('sing')).toEqual(['error: what was that?']);
  expect(await told('block for ever')).toEqual(['error: 0 to 10000 ms']);
  const end = once(socket, 'close');
  socket.write('x'.repeat(2000));
  await within(end, 'the end of one whose line is too long');
  running.interrupt();
  await expectExit(running, 0, '');
});

test('metrics have the reactor with its times, and the workers', async () => {
  const { port, ask } = await start();
  await newClient(port).told('hello');
  const text = await ask('/metrics');
  expect(text).toMatch(/^200 # HELP/);
  expect(text).toMatch(/^tripoll_reactor_handler_duration_seconds_count\{reactor="main"\} [1-9]/m);
  expect(text).toMatch(/^tripoll_worker_tasks_total\{worker="1"\} \d+$/m);
  expect(await ask('/registrations')).toMatch(/"kind":"TcpConnection","peer":"127\.0\.0\.1:\d+"/);
  expect(await ask('/other')).toMatch(/^404/);
});

test('a blocking handler is warned of, and its trace is written', async () => {
  const { running, port, trace: file } = await start();
  await newClient(port).told('block 300');
  await until(() => running.errors().includes('SLOW_HANDLER'), 'the warning');
  await until(() => existsSync(file), 'the trace');
  const trace = JSON.parse(readFileSync(file, 'utf8')) as ChromeTrace;
  expect(brokenRules(trace)).toEqual([]);
  expect(named(trace, 'TcpConnection', 'X').some(({ dur = 0 }) => dur >= 300_000)).toBe(true);
  expect(named(trace, 'slow-handler: TcpConnection', 'i')).toHaveLength(1);
});

const isNode = capabilities.runtime === 'node';
testIf(isNode, 'Node alone collects garbage on demand')('a leaked connection is found', async () => {
  const { running, port, ask } = await start();
  const streams = /^tripoll_reactor_registrations\{reactor="main",kind="TcpStream"\} (\d+)$/m;
  const { told } = newClient(port);
  await told('relay hello');
  expect(await ask('/metrics')).not.toMatch(streams);
  for (let i = 0; i < 2; i++) expect(await told('relay sing')).toEqual([expect.stringMatching(/^error/)]);
  expect(streams.exec(await ask('/metrics'))?.[1]).toBe('2');
  const found = await ask('/leaks', 'POST');
  expect(found).toMatch(/^200 2 leaked\n/);
  expect(found).toContain('askBackend');
  expect(await ask('/metrics')).not.toMatch(streams);
  await until(() => running.errors().includes('ERR_TRIPOLL_LEAKED'), 'the warning');
});

test('a client that asks for more than its share waits, and nobody else', async () => {
  const { port } = await start('10');
  const greedy = newClient(port);
  greedy.socket.write('hello\n'.repeat(1000));
  await until(() => greedy.lines.length > 0, 'the first answer');
  expect(await newClient(port).told('hello')).toEqual(['hello: done']);
  // Its thousand would take it 100 s.
  expect(greedy.lines.length).toBeLessThan(1000);
  const { length } = greedy.lines;
  await until(() => greedy.lines.length > length, 'its next share');
  // What waits for the next share may be wrong.
  const { socket } = newClient(port);
  const end = once(socket, 'close');
  socket.write(`hello\nhello\n${'x'.repeat(2000)}`);
  await within(end, 'the end of one whose line is too long');
  expect(await newClient(port).told('hello')).toEqual(['hello: done']);
});

testIf(!isWindows, 'Windows has no ObserveServer')('top looks in', async () => {
  const { running } = await start();
  const { stdout, code } = await runCommand(['top', String(running.pid), '--once'], { deadlineMs: 30_000 });
  expect(code).toBe(0);
  expect(stdout).toMatch(/^main +\d/m);
  expect(stdout).toMatch(/^runtime 1 +\d/m);
});

test('the client asks, is good, and floods', async () => {
  const { port } = await start();
  const ask = runExample('ops-client', ['ask', String(port), 'task 1', '2']);
  await expectExit(ask, 0, '');
  expect(ask.output()).toBe('task: done\ntask: done\n');
  const load = runExample('ops-client', ['load', String(port), '2']);
  const flood = runExample('ops-client', ['flood', String(port), '1']);
  await expectExit(flood, 0, '');
  expect(flood.output()).toMatch(/^[1-9]\d* answers in 1 s\n$/);
  await expectExit(load, 0, '');
  expect(load.output()).toMatch(/^\d+ answers, p50 \d+\.\d ms, p99 \d+\.\d ms, max \d+\.\d ms\n/);
});

test.each([
  ['ops', ['x']],
  ['ops', ['70000']],
  ['ops', ['0', '0', '0']],
  ['ops', ['0', '0', '1', '2']],
])('%s %j: usage', async (name, args) => {
  await expectExit(runExample(name, args), 2, 'usage:');
});

test.each([[[]], [['ask', '1']], [['load', 'x']], [['flood', '1', '2', '3']], [['sing', '1']]])(
  'ops-client %j: usage',
  async (args) => {
    await expectExit(runExample('ops-client', args), 2, 'usage:');
  },
);

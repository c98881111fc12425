// `top` and `trace`: which process they look into, what they show, and what they say when they cannot.
import { linkSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import path from 'node:path';
import { Reactor } from 'tripoll';
import { ObserveServer, type ChromeTrace } from 'tripoll/observe';
import { attachToProcess, describeAll, findAll, printable } from '#lib/cli/attach/find';
import { Client } from '#lib/cli/attach/client';
import { main } from '#lib/cli/main';
import { toRates, type Rates } from '#lib/cli/top/rates';
import { bytes, describeRates, duration, ms, short } from '#lib/cli/top/table';
import type { Greeting, ReactorSnapshot, Snapshot } from '#lib/observe/server/protocol';
import { describeIf } from '../support/applies.js';
import { until, within } from '../support/deadline.js';
import { rejectionOf } from '../support/errors.js';
import { temporaryFolder } from '../support/folders.js';
import { later } from '../support/later.js';
import { isWindows } from '../support/platform.js';

const describeServer = describeIf(!isWindows, 'Windows has no ObserveServer');

interface Running {
  readonly printed: string[];
  readonly complained: string[];
  readonly status: Promise<number>;
}

function start(args: readonly string[], rows?: number): Running {
  const [printed, complained]: [string[], string[]] = [[], []];
  const output = {
    print: (text: string) => void printed.push(text),
    complain: (text: string) => void complained.push(text),
    rows: () => rows,
  };
  return { printed, complained, status: main(args, '1.2.3', output) };
}

const newReactor = (): Reactor => later(new Reactor());

function serve(folder: string, name: string, reactor = newReactor()): ObserveServer {
  const sources = [{ reactor, attributes: { reactor: 'main' } }];
  return later(new ObserveServer({ path: path.join(folder, name), sources }));
}

/** One that is no ObserveServer: says `lines`, and then what `answer` makes of what it hears. */
async function pretend(lines: string, answer: (socket: Socket) => void = () => undefined): Promise<string> {
  const file = path.join(temporaryFolder(), '1.sock');
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('data', () => answer(socket));
    socket.write(lines);
  });
  await new Promise<void>((resolve) => {
    server.listen(file, resolve);
  });
  later({
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  });
  return file;
}

const GREETING: Greeting = { tripoll: 1, pid: 4711, thread: 0, runtime: 'node 22.0.0', program: 'app.js' };
const greeting = (other: object = {}): string => `${JSON.stringify({ ...GREETING, ...other })}\n`;

describeServer('top', () => {
  test('--once: a look over one interval, in 80 columns', async () => {
    const reactor = newReactor();
    reactor.setTimer(1, function tick() {}, { repeatMs: 1 }).unref();
    const { path: file } = serve(temporaryFolder(), 'one.sock', reactor);
    const { printed, complained, status } = start(['top', file, '--once']);
    expect(await within(status, 'its end')).toBe(0);
    expect(complained).toEqual([]);
    const [block = '', ...more] = printed;
    expect(more).toEqual([]);
    expect(block).toMatch(new RegExp(`^process ${process.pid}  `));
    expect(block).toMatch(/^REACTOR .*\nmain +[1-9]/m);
    expect(block).toMatch(/^timer tick/m);
    expect(Math.max(...block.split('\n').map(({ length }) => length))).toBeLessThanOrEqual(80);
  });

  test('--json: a line for each look, until it is stopped', async () => {
    const { path: file } = serve(temporaryFolder(), 'one.sock');
    const { printed, status } = start(['top', '--json', file]);
    await until(() => printed.length === 2, 'two looks');
    process.emit('SIGTERM', 'SIGTERM');
    expect(await within(status, 'its end')).toBe(0);
    for (const line of printed) {
      const { process: looked, intervalMs, reactors } = JSON.parse(line) as Rates;
      expect(looked).toMatchObject({ pid: process.pid, thread: 0 });
      expect(intervalMs).toBeGreaterThanOrEqual(900);
      expect(reactors).toMatchObject([{ name: 'main', driver: expect.any(String) as unknown }]);
    }
  });

  test('on a terminal each look takes the place of the one before, and fits it', async () => {
    const { path: file } = serve(temporaryFolder(), 'one.sock');
    const { printed, status } = start(['top', '--once', file], 4);
    expect(await within(status, 'its end')).toBe(0);
    const [screen = ''] = printed;
    // eslint-disable-next-line no-control-regex -- they are what it is about
    expect(screen).toMatch(/^\x1b\[H.*\x1b\[K\n.*\x1b\[K\n.*\x1b\[K\x1b\[J$/);
  });

  test('a process that ends meanwhile', async () => {
    const server = serve(temporaryFolder(), 'one.sock');
    const { printed, complained, status } = start(['top', '--json', server.path]);
    await until(() => printed.length > 0, 'a look');
    server.close();
    expect(await within(status, 'its end')).toBe(1);
    expect(complained.join()).toMatch(
      /^tripoll top: process \d+ has ended, or its ObserveServer was closed$/,
    );
  });

  test('a thread that is held up is told', async () => {
    const file = await pretend(greeting());
    const { printed, status } = start(['top', file]);
    await until(() => printed.length > 0, 'it says so');
    expect(printed[0]).toMatch(/^process 4711 has not answered for \d+ s: its thread is held up\n$/);
    process.emit('SIGINT', 'SIGINT');
    expect(await within(status, 'its end')).toBe(0);
  });

  test.each([
    { args: ['top', 'one', 'two'], says: "the second is 'two'" },
    { args: ['top', '--interval', '0'], says: '--interval must be a whole number from 1 to 3600' },
    { args: ['trace', '--seconds', '3601'], says: '--seconds must be a whole number from 1 to 3600' },
    { args: ['trace', '--output', ''], says: '--output must be' },
  ])('wrong arguments: $args', async ({ args, says }) => {
    const { complained, printed, status } = start(args);
    expect(await status).toBe(2);
    expect(printed).toEqual([]);
    expect(complained.join()).toContain(says);
  });

  test.each(['top', 'trace'])('%s of a process that is not there, or that has not opted in', async (name) => {
    const none = start([name, '999999999']);
    expect(await none.status).toBe(1);
    expect(none.complained.join()).toContain('there is no process 999999999');
    const unwilling = start([name, String(process.pid)]);
    expect(await unwilling.status).toBe(1);
    expect(unwilling.complained.join()).toContain('has no ObserveServer where it is looked for');
    const missing = start([name, path.join(temporaryFolder(), 'none.sock')]);
    expect(await missing.status).toBe(1);
    expect(missing.complained.join()).toContain('ENOENT');
  });
});

describeServer('trace', () => {
  test('writes what Perfetto opens', async () => {
    const reactor = newReactor();
    reactor.setTimer(1, function tick() {}, { repeatMs: 1 }).unref();
    const folder = temporaryFolder();
    const { path: file } = serve(folder, 'one.sock', reactor);
    const target = path.join(folder, 'trace.json');
    const { printed, status } = start(['trace', file, '--seconds', '1', '--output', target]);
    expect(await within(status, 'its end')).toBe(0);
    expect(printed.join('\n')).toMatch(/^\d+ events of process \d+: .*trace\.json\nopen it at https:/);
    const { traceEvents } = JSON.parse(readFileSync(target, 'utf8')) as ChromeTrace;
    expect(traceEvents.filter(({ name, ph }) => name === 'tick' && ph === 'X').length).toBeGreaterThan(1);
    expect(traceEvents.every(({ pid }) => pid === process.pid)).toBe(true);
  });

  test('a file that cannot be written is told', async () => {
    const { path: file } = serve(temporaryFolder(), 'one.sock');
    const target = path.join(temporaryFolder(), 'none/trace.json');
    const { complained, status } = start(['trace', file, '--seconds', '1', '--output', target]);
    expect(await within(status, 'its end')).toBe(1);
    expect(complained.join()).toMatch(/^tripoll trace: ENOENT/);
  });
});

describeServer('which process', () => {
  test('the only one; of several it must be said which', async () => {
    const folder = temporaryFolder();
    const folders = [path.join(folder, 'none'), folder];
    expect(await rejectionOf(attachToProcess(undefined, folders))).toMatchObject({ code: 'ENOENT' });
    serve(folder, `${process.pid}.sock`);
    writeFileSync(path.join(folder, 'notes.txt'), '');
    later(await attachToProcess(undefined, folders));
    later(await attachToProcess(String(process.pid), folders));
    serve(folder, `${process.pid}-3.sock`);
    const { name, message } = await rejectionOf(attachToProcess(undefined, folders));
    expect(name).toBe('UsageError');
    expect(message).toMatch(new RegExp(`^say which:.*\\n  ${process.pid} .*\\n  ${process.pid}-3 `));
    later(await attachToProcess(`${process.pid}-3`, folders));
  });

  test('what a process that was killed has left is removed; what lives is not', async () => {
    const folder = temporaryFolder();
    const left = serve(folder, 'left.sock');
    // As a socket's file that nobody listens on any more.
    linkSync(left.path, path.join(folder, '999999999.sock'));
    linkSync(left.path, path.join(folder, `${process.pid}.sock`));
    left.close();
    expect(await findAll([folder])).toEqual([]);
    expect(readdirSync(folder)).toEqual([`${process.pid}.sock`]);
  });

  test('one that does not answer is listed', async () => {
    const file = await pretend('');
    const [found] = await findAll([path.dirname(file)], 50);
    expect(found).toMatchObject({ name: '1', client: null });
    expect(describeAll([found!])).toBe('these can be looked at:\n  1           does not answer');
  });
});

describeServer('what is no ObserveServer', () => {
  test.each([
    { what: 'no JSON', lines: 'hello\n' },
    { what: 'no greeting', lines: '{}\n' },
    { what: 'null', lines: 'null\n' },
    { what: 'a greeting without its program', lines: greeting({ program: 7 }) },
    { what: 'no end of a line', lines: 'x'.repeat(2_000_000) },
  ])('that says $what', async ({ lines }) => {
    const file = await pretend(lines);
    expect(await rejectionOf(Client.connect(file))).toMatchObject({ code: 'EPROTO' });
  });

  test('of another version', async () => {
    const file = await pretend(greeting({ tripoll: 2 }));
    const { message } = await rejectionOf(Client.connect(file));
    expect(message).toContain('speaks version 2, and this is 1');
  });

  test('that says nothing, or goes', async () => {
    const silent = await pretend('');
    expect(await rejectionOf(Client.connect(silent, 20))).toMatchObject({ code: 'ETIMEDOUT' });
    const file = path.join(temporaryFolder(), '1.sock');
    const server = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => {
      server.listen(file, resolve);
    });
    later(server);
    expect(await rejectionOf(Client.connect(file))).toMatchObject({ code: 'ECONNRESET' });
  });

  test.each([
    { what: 'an answer to nobody', answer: '{"id":7,"end":true}\n' },
    { what: 'more memory than a recorder has', answer: '{"id":1,"memoryBytes":99999999999}\n' },
    { what: 'memory that was not announced', answer: '{"id":1,"base64":"AAAA"}\n' },
    { what: 'more than was announced', answer: '{"id":1,"memoryBytes":1}\n{"id":1,"base64":"AAAA"}\n' },
    { what: 'less than was announced', answer: '{"id":1,"memoryBytes":9}\n{"id":1,"end":true}\n' },
    { what: 'metrics', answer: '{"id":1,"metrics":{}}\n' },
  ])('that answers a trace by $what', async ({ answer }) => {
    const file = await pretend(greeting(), (socket) => socket.write(answer));
    const client = later(await Client.connect(file));
    expect(await rejectionOf(client.trace(0))).toMatchObject({ code: 'EPROTO' });
  });
});

describe('rates', () => {
  const times = { count: 0, sum: 0, min: 0, max: 7, p50: 1, p90: 2, p99: 3, p999: 4 };
  const reactor = (turns: number, events: number, handlerCalls: number): ReactorSnapshot => ({
    ...{ name: 'main', backend: 'epoll', driver: 'nested', closed: false },
    counters: { turns, events, handlerCalls, timerCalls: 0, registrations: 5, timers: 1, ready: 0 } as never,
    ...{ busyShare: 0.5, handlerMs: times, timerLateMs: times },
  });
  const snapshot = (nowMs: number, rest: Partial<Snapshot>): Snapshot => ({
    ...{ nowMs, uptimeMs: 0, cpuUs: nowMs * 250, rssBytes: 1, reactors: [], runtimes: [] },
    ...{ hottest: [], slowest: [], ...rest },
  });

  test('are what came, by the time between two answers', () => {
    const tasks = { tasks: 100, steals: 10, parks: 4, queued: 1, running: 2 };
    // Half of its life it was busy, and of the interval a quarter.
    const worker = { worker: 0, ...tasks, busyMs: 10_000, busyShare: 0.5 };
    const runtime = (more: object) =>
      ({ name: 'pool', workers: [{ ...worker, ...more }] }) as unknown as Snapshot['runtimes'][0];
    const before = snapshot(1000, { reactors: [reactor(10, 100, 100)], runtimes: [runtime({})] });
    const after = snapshot(3000, {
      reactors: [reactor(20, 130, 160)],
      // A new thread has begun to count.
      runtimes: [runtime({ tasks: 300, steals: 4, parks: 4, busyMs: 10_500 })],
    });
    const { intervalMs, reactors, workers, process: looked } = toRates(GREETING, before, after);
    expect(intervalMs).toBe(2000);
    expect(looked.cpuShare).toBe(0.25);
    expect(reactors).toMatchObject([
      { turnsPerSecond: 5, eventsPerWait: 3, callsPerSecond: 30, handlerP99Ms: 3, handlerMaxMs: 7 },
    ]);
    expect(workers).toMatchObject([
      {
        runtime: 'pool',
        worker: 0,
        tasksPerSecond: 100,
        stealsPerSecond: 2,
        parksPerSecond: 0,
        busyShare: 0.25,
      },
    ]);
  });

  test('of anything fit into 80 columns, and obey nobody', () => {
    const most = Number.MAX_SAFE_INTEGER;
    const name = `evil\x1b[2J\n\u202e${'x'.repeat(100)}`;
    const rates: Rates = {
      process: {
        ...{ pid: most, thread: most, runtime: name, program: name },
        ...{ uptimeMs: most, cpuShare: 64, rssBytes: most },
      },
      intervalMs: 1,
      reactors: [
        {
          ...{ name, backend: name, driver: name, closed: true, turnsPerSecond: most, eventsPerWait: most },
          ...{ callsPerSecond: most, busyShare: 1, handlerP99Ms: 1e7, handlerMaxMs: 1e7 },
          ...{ timerLateP99Ms: 1e7, registrations: most, timers: most, ready: most },
        },
      ],
      workers: Array.from({ length: 20 }, (_, worker) => ({
        ...{ runtime: name, worker, tasksPerSecond: most, queued: most, running: most },
        ...{ stealsPerSecond: most, parksPerSecond: most, busyShare: 1 },
      })),
      hottest: Array.from({ length: 9 }, () => ({
        ...{ reactor: name, fd: most, name, peer: name, callsPerSecond: most, busyShare: 1 },
        ...{ readBytesPerSecond: most, writtenBytesPerSecond: most, queuedBytes: most },
      })),
      slowest: [{ reactor: name, fd: -1, name, peer: name, tookMs: 1e9, agoMs: most }],
    };
    const lines = describeRates(rates);
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(80);
    expect(lines.filter((line) => line !== printable(line))).toEqual([]);
    expect(lines.filter((line) => /^evil.* \d+k? /.test(line)).length).toBeGreaterThan(0);
    expect(lines).toContain('and 4 more');
  });

  test('are told in few digits', () => {
    const numbers = [0, 0.04, 1, 9.96, 999, 9999, 10_000, 123_456, 999_600, 1_234_567, 99_990_000];
    expect(numbers.map(short)).toEqual([
      '0',
      '0.0',
      '1.0',
      '10',
      '999',
      '9999',
      '10.0k',
      '123k',
      '1.0M',
      '1.2M',
      '100M',
    ]);
    expect([0, 999, 1024, 10_240, 1.5 * 1024 ** 2].map(bytes)).toEqual(['0', '999', '1.0K', '10K', '1.5M']);
    expect([0, 0.004, 9.96, 12.34, 1234].map(ms)).toEqual(['0.00', '0.00', '10.0', '12.3', '1234']);
    const durations = [999, 59_999, 61_000, 3_661_000, 90_000_000].map(duration);
    expect(durations).toEqual(['0 s', '59 s', '1 min 1 s', '1 h 1 min', '1 d 1 h']);
  });
});

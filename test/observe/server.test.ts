// ObserveServer, as its clients meet it: the command's, and one that says what it likes.
import { chmodSync, existsSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import path from 'node:path';
import { capabilities, Interest, type Reactor } from 'tripoll';
import { Observer, ObserveServer, Recorder, type ObserveServerOptions } from 'tripoll/observe';
import { Client } from '#lib/cli/attach/client';
import { mayLook } from '#lib/observe/server/observe-server';
import { ownFolder } from '#lib/observe/server/places';
import { MAX_REQUEST_BYTES } from '#lib/observe/server/protocol';
import { readRing } from '#lib/observe/recorder/ring';
import type { RuntimeObserver } from '#lib/runtime/probe';
import { fakeRig, type FakeRig } from '../reactor/fake-reactor.js';
import { describeIf, testIf } from '../support/applies.js';
import { expectCleanExit, runScript } from '../support/child.js';
import { until, within } from '../support/deadline.js';
import { closed, invalidType, rejectionOf, thrownBy, unsupported } from '../support/errors.js';
import { temporaryFolder } from '../support/folders.js';
import { closing, later } from '../support/later.js';
import { isWindows, slowness } from '../support/platform.js';

const { READABLE } = Interest;
const describeServer = describeIf(!isWindows, 'Windows does not tell who a client is');
const isRoot = process.getuid?.() === 0 && capabilities.runtime === 'node';

let sockets = 0;
const folder = temporaryFolder();
const newPath = (): string => path.join(folder, `${++sockets}.sock`);

function serve(
  { reactor }: { reactor: Reactor },
  options: ObserveServerOptions = {},
): { server: ObserveServer; attach: () => Promise<Client> } {
  const sources = [{ reactor, attributes: { reactor: 'main' } }];
  const server = later(new ObserveServer({ path: newPath(), sources, ...options }));
  return { server, attach: async () => later(await Client.connect(server.path, 10_000)) };
}

/** A turn that calls the handlers of so many registrations. */
function turn({ poller, reactor }: FakeRig, ...called: { registration: never }[]): void {
  for (const { registration } of called) poller.emit(registration, READABLE);
  reactor.turn();
}

/** A client that writes what it likes; what it is told, line by line. */
class RawClient {
  readonly lines: Record<string, unknown>[] = [];
  readonly socket: Socket;
  ended = false;
  #text = '';

  constructor(file: string) {
    this.socket = connect({ path: file });
    this.socket.setEncoding('utf8').on('data', (text) => {
      const lines = (this.#text + String(text)).split('\n');
      this.#text = lines.pop()!;
      for (const line of lines) this.lines.push(JSON.parse(line) as Record<string, unknown>);
    });
    this.socket.on('error', () => undefined).on('close', () => (this.ended = true));
    later({ close: () => this.socket.destroy() });
  }

  async told(lines: number): Promise<void> {
    await until(() => this.lines.length >= lines, `${lines} lines`);
  }
}

describeServer('ObserveServer', () => {
  test('tells what a reactor has done, and who did most', async () => {
    const rig = fakeRig();
    const [busy, idle] = [rig.watch(7, undefined, { name: 'busy' }), rig.watch(8)];
    const client = await serve(rig).attach();
    await client.metrics();
    for (let i = 0; i < 3; i++) turn(rig, busy as never);
    // Rates need some time between two looks, and are gone with the one after.
    let told = await client.metrics();
    await until(async () => {
      if (told.hottest.length === 0) told = await client.metrics();
      return told.hottest.length > 0;
    }, 'it is looked at');
    const { reactors, hottest, slowest, rssBytes } = told;
    expect(reactors).toMatchObject([{ name: 'main', driver: 'manual', closed: false }]);
    expect(reactors[0]!.counters).toMatchObject({ turns: 3, events: 3, handlerCalls: 3, registrations: 2 });
    expect(hottest).toMatchObject([{ fd: 7, name: 'busy', reactor: 'main', peer: null, queuedBytes: 0 }]);
    expect(hottest[0]!.callsPerSecond).toBeGreaterThan(0);
    expect(slowest).toMatchObject([{ fd: 7, name: 'busy' }]);
    // qemu tells a process that it has none.
    expect(rssBytes > 0).toBe(process.memoryUsage().rss > 0);
    expect(idle.seen).toEqual([]);
  });

  test('times are those since the same client asked last', async () => {
    const rig = fakeRig();
    const one = rig.watch(7);
    const { attach } = serve(rig);
    const [first, second] = [await attach(), await attach()];
    const countOf = async (client: Client): Promise<number> =>
      (await client.metrics()).reactors[0]!.handlerMs.count;
    turn(rig, one as never);
    expect([await countOf(first), await countOf(first), await countOf(second)]).toEqual([1, 0, 1]);
    turn(rig, one as never);
    turn(rig, one as never);
    expect([await countOf(first), await countOf(second)]).toEqual([2, 2]);
  });

  test('nothing is paid before a client comes, nor after the last has gone', async () => {
    const rig = fakeRig();
    const { registry } = rig.reactor;
    const { server, attach } = serve(rig);
    expect(registry.probe).toBeNull();
    const [one, other] = [await attach(), await attach()];
    one.close();
    await other.metrics();
    expect(registry.probe).not.toBeNull();
    // What the program sees is as if nobody looked.
    expect(rig.reactor.metrics().times).toBeNull();
    other.close();
    await until(() => registry.probe === null, 'it looks no more');
    await attach();
    expect(registry.probe).not.toBeNull();
    server.close();
    expect(registry.probe).toBeNull();
  });

  test("an observer of the program's is used, and may come and go", async () => {
    const rig = fakeRig();
    const one = rig.watch(7);
    const client = await serve(rig).attach();
    const handlerCalls = async (): Promise<number> => (await client.metrics()).reactors[0]!.handlerMs.count;
    turn(rig, one as never);
    expect(await handlerCalls()).toBe(1);
    const observer = new Observer(rig.reactor);
    turn(rig, one as never);
    turn(rig, one as never);
    // It takes over with what the observer has seen.
    expect(await handlerCalls()).toBe(2);
    turn(rig, one as never);
    expect(await handlerCalls()).toBe(1);
    observer.close();
    expect(await handlerCalls()).toBe(0);
    turn(rig, one as never);
    expect(await handlerCalls()).toBe(1);
  });

  test('tells of the workers of a runtime', async () => {
    const worker = { worker: 0, tasks: 3, queued: 1, running: 2, steals: 0, parks: 0, busyShare: 0.5 };
    const metrics = () => ({ pending: 1, waiting: 0, injected: 0, workers: [worker as never] });
    const { attach } = serve(fakeRig(), { sources: [{ runtime: { metrics } }] });
    const { reactors, runtimes } = await (await attach()).metrics();
    expect(reactors).toEqual([]);
    expect(runtimes).toEqual([{ name: 'runtime', ...metrics() }]);
  });

  test('records for a while, by one client at a time', async () => {
    const rig = fakeRig();
    const one = rig.watch(7, undefined, { name: 'traced' });
    const { attach } = serve(rig);
    const [client, other] = [await attach(), await attach()];
    const traced = client.trace(0.1 * slowness);
    await other.metrics();
    expect(await rejectionOf(other.trace(0))).toMatchObject({ code: 'ERR_TRIPOLL_BUSY' });
    turn(rig, one as never);
    const [memory, ...more] = await within(traced, 'the trace');
    expect(more).toEqual([]);
    const { names, records } = readRing(memory!)!;
    expect(records.map(({ values }) => names[values[0]!])).toContain('traced');
    // And again, when that is over.
    expect(await within(other.trace(0), 'another trace')).toHaveLength(1);
  });

  test('a trace of a client that has gone ends', async () => {
    const rig = fakeRig();
    const { attach } = serve(rig);
    const [client, other] = [await attach(), await attach()];
    const traced = rejectionOf(client.trace(3600));
    await other.metrics();
    client.close();
    expect(await traced).toMatchObject({ code: 'ECONNABORTED' });
    await until(async () => (await other.trace(0).catch(() => [])).length === 1, 'others may trace');
  });

  test("a recorder of the program's is what a trace is of", async () => {
    const rig = fakeRig();
    // With a worker, which has written nothing yet.
    const runtime = {
      metrics: () => ({ workers: [{}] }) as never,
      observe: (observer: RuntimeObserver) => {
        observer.dataOf(0, 0);
        return () => undefined;
      },
    };
    const recorder = later(new Recorder(rig.reactor, { events: 16, runtime }));
    recorder.mark('before');
    const client = await serve(rig, { recorder }).attach();
    const [memory, workers, ...more] = await within(client.trace(0), 'the trace');
    expect(readRing(memory!)!.names).toContain('before');
    expect([workers?.byteLength, more]).toEqual([memory!.byteLength, []]);
    expect(recorder.closed).toBe(false);
  });

  test('what is no request is told so, and the next one is answered', async () => {
    const { server } = serve(fakeRig());
    const client = new RawClient(server.path);
    const bad = ['', 'hello', '[]', '{"ask":"metrics"}', '{"id":1,"ask":"stop"}'];
    const worse = [-1, 3601, '"1"', 'null'].map((seconds) => `{"id":2,"ask":"trace","seconds":${seconds}}`);
    client.socket.write([...bad, ...worse, '{"id":3,"ask":"metrics"}\n'].join('\n'));
    await client.told(11);
    const [greeting, ...answers] = client.lines;
    expect(greeting).toMatchObject({ tripoll: 1, pid: process.pid, thread: 0 });
    expect(answers.map(({ id }) => id)).toEqual([null, null, null, null, 1, 2, 2, 2, 2, 3]);
    expect(answers.slice(0, -1).every((answer) => 'error' in answer)).toBe(true);
    expect(answers.at(-1)).toHaveProperty('metrics');
  });

  test('a request that is too long ends its client, and no other', async () => {
    const { server, attach } = serve(fakeRig());
    const [client, other] = [new RawClient(server.path), await attach()];
    client.socket.write('x'.repeat(MAX_REQUEST_BYTES + 1));
    await until(() => client.ended, 'its end');
    expect((await other.metrics()).reactors).toHaveLength(1);
  });

  test('a client that asks and does not read is not read from', async () => {
    const { server, attach } = serve(fakeRig());
    const client = new RawClient(server.path);
    await client.told(1);
    client.socket.pause();
    const request = '{"id":1,"ask":"metrics"}\n';
    const requests = 20_000;
    client.socket.write(request.repeat(requests));
    // Others are answered meanwhile.
    const other = await attach();
    for (let i = 0; i < 20; i++) await other.metrics();
    expect(client.socket.writableLength).toBeGreaterThan(0);
    expect(client.ended).toBe(false);
    client.socket.resume();
    await client.told(500);
    expect(client.lines.slice(1).every((answer) => 'metrics' in answer)).toBe(true);
  });

  test('takes eight clients', async () => {
    const { attach } = serve(fakeRig());
    for (let i = 0; i < 8; i++) await attach();
    expect(await rejectionOf(attach())).toMatchObject({ code: expect.stringMatching(/^E/) as unknown });
    closing.pop()!.close();
    await until(async () => (await attach().catch(() => null)) !== null, 'there is room again');
  });

  test('its file is for this user alone, and goes with it', () => {
    const { server } = serve(fakeRig());
    expect(statSync(server.path).mode & 0o777).toBe(0o600);
    server.close();
    server.close();
    expect([existsSync(server.path), server.closed]).toEqual([false, true]);
    const again = later(new ObserveServer({ path: server.path }));
    expect(thrownBy(() => new ObserveServer({ path: server.path }))).toMatchObject({ code: 'EADDRINUSE' });
    expect(again.closed).toBe(false);
  });

  test('ends with the last of its reactors, and its clients with it', async () => {
    const [one, other] = [fakeRig(), fakeRig()];
    const sources = [{ reactor: one.reactor }, { reactor: other.reactor }];
    const { server, attach } = serve(one, { sources });
    const client = await attach();
    one.reactor.close();
    const { reactors } = await client.metrics();
    expect(reactors.map((each) => each.closed)).toEqual([true, false]);
    other.reactor.close();
    expect([server.closed, existsSync(server.path)]).toEqual([true, false]);
    expect(await rejectionOf(client.metrics())).toMatchObject({ code: 'ECONNRESET' });
  });

  test('its default folder is made for this user alone, and no other is taken', () => {
    const before = process.env['XDG_RUNTIME_DIR'];
    process.env['XDG_RUNTIME_DIR'] = temporaryFolder();
    try {
      const own = ownFolder();
      expect([path.basename(own), statSync(own).mode & 0o777]).toEqual(['tripoll', 0o700]);
      const server = later(new ObserveServer());
      expect(server.path).toBe(path.join(own, `${process.pid}.sock`));
      chmodSync(own, 0o750);
      expect(thrownBy(ownFolder)).toMatchObject({ code: 'EACCES' });
      process.env['XDG_RUNTIME_DIR'] = temporaryFolder();
      const elsewhere = temporaryFolder();
      mkdirSync(path.join(elsewhere, 'private'), { mode: 0o700 });
      const link = path.join(process.env['XDG_RUNTIME_DIR'], 'tripoll');
      symlinkSync(path.join(elsewhere, 'private'), link);
      expect(thrownBy(ownFolder)).toMatchObject({ code: 'EACCES' });
      process.env['XDG_RUNTIME_DIR'] = temporaryFolder();
      writeFileSync(path.join(process.env['XDG_RUNTIME_DIR'], 'tripoll'), '', { mode: 0o600 });
      expect(thrownBy(ownFolder)).toMatchObject({ code: 'EACCES' });
    } finally {
      if (before === undefined) delete process.env['XDG_RUNTIME_DIR'];
      else process.env['XDG_RUNTIME_DIR'] = before;
    }
  });

  test('its user and root may look', () => {
    const uids = [1000, 1001, 0, 65_534];
    expect(uids.map((uid) => mayLook(uid, 1000))).toEqual([true, false, true, false]);
    expect(uids.map((uid) => mayLook(uid, 0))).toEqual([false, false, true, false]);
  });

  testIf(isRoot, 'root alone can start a process of another user')(
    'the system tells it who a client is: another user is let go, though the file lets it in',
    async () => {
      const open = temporaryFolder();
      chmodSync(open, 0o755);
      const file = path.join(open, 'open.sock');
      const { server } = serve(fakeRig(), { path: file });
      chmodSync(server.path, 0o666);
      const code = `
        const net = require('node:net');
        if (process.argv[2] === 'other') process.setuid(65534);
        const socket = net.connect({ path: process.argv[1] });
        let text = '';
        socket.on('data', (more) => { text += more; socket.end(); });
        socket.on('error', (error) => { text += error.code; });
        socket.on('close', () => console.log(text.includes('"tripoll":1') ? 'greeted' : 'let go: ' + text));`;
      const printed: string[] = [];
      for (const who of ['root', 'other']) {
        const result = await runScript(code, { args: [file, who] });
        printed.push(result.stdout.trim());
      }
      expect(printed).toEqual(['greeted', expect.stringMatching(/^let go:/)]);
    },
  );

  test('keeps no process alive, and leaves no file when one ends', async () => {
    const file = newPath();
    const code = `
      const { Reactor } = require('tripoll');
      const { ObserveServer } = require('tripoll/observe');
      new ObserveServer({ path: process.argv[1], sources: [{ reactor: Reactor.default }] });`;
    expectCleanExit(await runScript(code, { args: [file] }));
    expect(existsSync(file)).toBe(false);
    const looked = `${code}
      const socket = require('node:net').connect({ path: process.argv[1] });
      socket.on('data', () => socket.unref());`;
    expectCleanExit(await runScript(looked, { args: [file] }));
  });

  test('refuses wrong options', () => {
    const made = (options: unknown): unknown => thrownBy(() => new ObserveServer(options as never));
    expect(made(null)).toMatchObject({ name: 'TypeError' });
    expect(made({ sockets: [] })).toMatchObject({ name: 'TypeError' });
    expect(made({ sources: {} })).toMatchObject(invalidType);
    expect(made({ sources: [{ reactor: 'one' }] })).toMatchObject(invalidType);
    expect(made({ sources: Array.from({ length: 65 }, () => ({})) })).toMatchObject(invalidType);
    expect(made({ recorder: {} })).toMatchObject(invalidType);
    expect(made({ path: 7 })).toMatchObject({ name: 'TypeError' });
    expect(made({ path: path.join(folder, 'none/one.sock') })).toMatchObject({ code: 'ENOENT' });
    const { reactor } = fakeRig();
    reactor.close();
    expect(made({ sources: [{ reactor }] })).toMatchObject(closed);
  });
});

testIf(isWindows, 'only Windows does not tell who a client is')('Windows: unsupported', () => {
  expect(thrownBy(() => new ObserveServer({ path: 'x.sock' }))).toMatchObject(unsupported);
});

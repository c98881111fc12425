import { once } from 'node:events';
import net from 'node:net';
import { canNest, systemBackend } from '../support/backends.js';
import { expectCleanExit, runFile, runScript } from '../support/child.js';
import { type BackendName, capabilities } from 'tripoll';
import { testIf } from '../support/applies.js';
import { isOldWine, isWindows, slowness } from '../support/platform.js';

const HOST = '127.0.0.1';
const DEADLINE_MS = 60_000;

/** What each sees when Node's own parts work as ever. */
const scenarios: Record<string, unknown> = {
  timers: ['microtask', 'tick', 'immediate', true, 5],
  fs: [true, true, true],
  dns: [HOST, 'EREFUSED'],
  'message port': 100,
  console: 'said',
  'child process': ['2\n', 'through the child', 0],
  worker: [[2], [0]],
  'net to itself': 100_000,
  'net to our listener': 100_000,
  // What libuv is asked to watch after it has begun to wait is unknown to the kernel until libuv
  // itself polls.
  'net from a handler': 10,
  'a large write from a handler': 4_000_000,
  'resume() in a handler': 'held back',
  'a server and a datagram from a handler': ['hello', 'datagram'],
  'everything else from a handler': [true, 'timer', 'immediate', HOST, 100, [[2], [0]]],
  'from a timer, a post and onWake': [10, 10, 10],
  'what is not ref’d': [2],
  signal: ['SIGUSR2', 12],
};

interface Line {
  readonly name: string;
  readonly seen: unknown;
  readonly driver: string;
}

const ofSystem = canNest ? 'inverted' : 'immediate';

const kinds: [driver: string, backend: BackendName, refed: string, where: string][] = [
  [ofSystem, systemBackend, 'ref', 'main'],
  [ofSystem, systemBackend, 'unref', 'main'],
  [ofSystem, systemBackend, 'ref', 'worker'],
  [ofSystem, systemBackend, 'unref', 'worker'],
  ['immediate', 'poll', 'ref', 'main'],
  ['immediate', 'poll', 'unref', 'main'],
  ['immediate', 'poll', 'ref', 'worker'],
  ['immediate', 'poll', 'unref', 'worker'],
];

/** What the child leaves out, and why. */
const leftOut: Record<string, string> = {
  ...(isWindows ? { signal: 'Windows has no signals' } : {}),
  ...(isOldWine ? { 'child process': 'under Wine a Node whose standard streams are pipes says EBADF' } : {}),
};

describe.each(kinds.filter(([, backend]) => capabilities.backends.includes(backend)))(
  'Node beside run(): %s on %s, with a source that is %sed, in the %s thread',
  (driver, backend, refed, where) => {
    let lines: readonly unknown[] = [];
    let result: unknown;

    beforeAll(
      async () => {
        const server = net.createServer((socket) => {
          socket.on('error', () => {});
          socket.pipe(socket);
        });
        await once(server.listen(0, HOST), 'listening');
        const args = [backend, refed, String((server.address() as net.AddressInfo).port), where];
        const { stdout, ...rest } = await runFile('reactor/run-node-child', {
          args,
          deadlineMs: DEADLINE_MS,
        });
        server.close();
        result = rest;
        const whole = stdout.split('\n').filter((line) => line !== '');
        lines = whole.map((line) => JSON.parse(line) as unknown);
      },
      DEADLINE_MS * slowness + 5000,
    );

    for (const [name, why] of Object.entries(leftOut)) testIf(false, why)(name);

    const applying = Object.entries(scenarios).filter(([name]) => !(name in leftOut));
    test.each(applying)('%s', (name, expected) => {
      const seen = where === 'worker' && name === 'signal' ? null : expected;
      expect(lines.find((line) => (line as Line).name === name)).toEqual({ name, seen, driver });
    });

    test('console writes in order, and the process ends by itself when nothing is ref’d', () => {
      expect(lines.filter((line) => typeof line === 'string')).toEqual(['1', '2']);
      expect(result).toEqual({ code: 0, signal: null, timedOut: false, stderr: '' });
    });
  },
);

test.each(capabilities.backends)(
  'what is not ref’d is served while Node waits for something else (%s)',
  async (backend) => {
    const result = await runScript(`
    const { Reactor } = require('tripoll');
    const reactor = new Reactor({ backend: '${backend}' });
    void reactor.run();
    const keepAlive = setTimeout(() => console.log('too late'), 5000);
    // When libuv has nothing to do but to wait for that.
    setTimeout(() => {
      const fired = () => {
        console.log('in time');
        clearTimeout(keepAlive);
      };
      reactor.setTimer(5, () => reactor.setTimer(5, fired).unref()).unref();
    }, 20);
  `);
    expectCleanExit(result);
    expect(result.stdout).toBe('in time\n');
  },
);

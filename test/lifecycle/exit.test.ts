import { runFile, runScript } from '../support/child.js';
import { driverKinds } from '../reactor/driver-rig.js';
import { isUnkind } from '../support/kernel.js';
import { isWindows } from '../support/platform.js';

const automatic = driverKinds
  .filter(({ driver }) => driver !== 'manual')
  .map(({ driver, backend, run }) => [driver, backend, ...(run === true ? ['run'] : [])]);

/** What is printed before the process ends by itself. */
const scenarios: Record<string, string[]> = {
  nothing: ['exit'],
  unrefd: ['exit'],
  'unref later': ['later', 'exit'],
  'deregister later': ['later', 'exit'],
  'close later': ['later', 'exit'],
  'deregister in its handler': ['later', 'ready', 'exit'],
  'ref again': ['later', 'exit'],
  timer: ['later', 'timer', 'exit'],
  'timer cancelled': ['later', 'exit'],
  post: ['posted', 'exit'],
  'a lost fd': ['EBADF', 'exit'],
};

/**
 * On Windows a number that was closed may at once name an event or a file: a stranger, not nobody.
 */
function linesOf(stdout: string): string[] {
  const text = isWindows ? stdout.replace('ENOENT', 'EBADF') : stdout;
  return text.trim().split('\n');
}

describe.each(automatic.map((kind) => [kind.join(' '), kind]))(
  'T51 the end of a process with %s',
  (_name, kind) => {
    test.each(Object.entries(scenarios))('%s', async (scenario, lines) => {
      const result = await runFile('lifecycle/exit-child', { args: [scenario, ...kind] });
      expect({ ...result, stdout: linesOf(result.stdout) }).toEqual({
        code: 0,
        signal: null,
        timedOut: false,
        stdout: lines,
        stderr: '',
      });
    });
  },
);

describe('Reactor.default', () => {
  async function lines(source: string): Promise<string[]> {
    const { stdout, stderr, code } = await runScript(source);
    expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
    return stdout.trim().split('\n');
  }

  test('is one a thread, and a new one after close', async () => {
    const source = `
      const { Worker } = require('node:worker_threads');
      const { Reactor } = require('tripoll');
      const { openPipe } = require('./out/test/support/pairs.js');
      const first = Reactor.default;
      console.log(first === Reactor.default);
      first.close();
      console.log(first !== Reactor.default, Reactor.default.closed);
      const pipe = [];
      openPipe(pipe);
      Reactor.default.register(pipe[0], 0, { onReady() {} }).unref();
      const inWorker = "const { Reactor } = require('tripoll'); Reactor.default.setTimer(1, () => " +
        "require('node:worker_threads').parentPort.postMessage(Reactor.default.inspect().registrations))";
      new Worker(inWorker, { eval: true }).on('message', (count) => console.log('worker', count));
    `;
    expect(await lines(source)).toEqual(['true', 'true false', 'worker 0']);
  });

  test('is the same from import and from require', async () => {
    const source = `
      const { Reactor } = require('tripoll');
      import('tripoll').then((esm) => console.log(esm.Reactor === Reactor, esm.Reactor.default === Reactor.default));
    `;
    expect(await lines(source)).toEqual(['true true']);
  });

  test('T98 is not made by loading the package, which opens nothing', async () => {
    const source = `
      const fs = require('node:fs');
      const count = () => fs.existsSync('/proc/self/fd') ? fs.readdirSync('/proc/self/fd').length : 0;
      const before = count();
      require('tripoll');
      console.log(count() - before);
    `;
    // The imitation of another kernel has a listener and two clients of its own.
    expect(await lines(source)).toEqual([isUnkind('dropped-syn') ? '3' : '0']);
  });
});

test('T50 the package is loaded again and again in one thread', async () => {
  const source = `
    const { openFds } = require('./out/test/support/fds.js');
    const root = require('node:path').dirname(require.resolve('tripoll/package.json'));
    let fired = 0;
    function load() {
      for (const name of Object.keys(require.cache)) if (name.startsWith(root)) delete require.cache[name];
      const { Reactor } = require('tripoll');
      return new Promise((resolve) => {
        const reactor = new Reactor();
        reactor.setTimer(1, () => { fired++; reactor.close(); resolve(); });
      });
    }
    (async () => {
      await load();
      const before = openFds().size;
      for (let i = 0; i < 10; i++) await load();
      console.log(fired, openFds().size - before);
    })();
  `;
  const { stdout, stderr, code, signal } = await runScript(source);
  expect({ stdout, stderr, code, signal }).toEqual({ stdout: '11 0\n', stderr: '', code: 0, signal: null });
});

import { canNest, systemBackend } from '../support/backends.js';
import { runScript } from '../support/child.js';

// The reactor contains what handlers throw, so a driver's own guard is reached only from below it.
const names = canNest ? ['nested', 'watcher', 'inverted'] : ['watcher'];

test.each(names)('T55 an exception that reaches the %s driver is not left pending', async (name) => {
  const source = `
    const { native } = require('./dist/binding/native.js');
    const poller = native.pollerOpen('${systemBackend}');
    const log = [];
    process.on('uncaughtException', (error) => log.push(error.message));
    native.driverStart(poller, '${name}', (count) => {
      if (count === native.layout.holdBatch) return void setImmediate(() => native.driverRelease(poller));
      log.push('batch ' + count);
      if (log.length < 5) setImmediate(() => native.pollerWake(poller));
      else native.driverClose(poller);
      throw new Error('escaped');
    });
    native.driverRef(poller);
    native.pollerWake(poller);
    process.on('exit', () => console.log(log.join()));
  `;
  const { stdout, stderr, code } = await runScript(source);
  expect({ stdout: stdout.trim(), stderr, code }).toEqual({
    stdout: 'batch 0,escaped,batch 0,escaped,batch 0,escaped',
    stderr: '',
    code: 0,
  });
});

/**
 * What a driver may do before Node's loop has its turn: a row ends with the batch in which its time
 * is up.
 */
async function countTurnsInARow(driver: string, setUp: string): Promise<number> {
  const source = `
    const { Reactor, Interest } = require('tripoll');
    const { sys } = require('tripoll/raw');
    const { openPipe } = require('./out/test/support/pairs.js');
    const inverted = '${driver}' === 'inverted';
    const reactor = new Reactor({ driver: inverted ? undefined : '${driver}' });
    if (inverted) reactor.run();
    const openReady = () => {
      const ends = [];
      openPipe(ends, sys.constants.O_NONBLOCK);
      sys.write(ends[1], new Uint8Array(1));
      return ends[0];
    };
    const spin = () => {
      for (const end = performance.now() + 3; performance.now() < end; );
    };
    let mostInARow = 0;
    let before = 0;
    let looks = 0;
    const look = () => {
      const { turns } = reactor.inspect();
      mostInARow = Math.max(mostInARow, turns - before);
      before = turns;
      if (looks++ < 20 || turns < 40) setImmediate(look);
      else { reactor.close(); console.log(mostInARow); process.exit(0); }
    };
    ${setUp}
    setImmediate(look);
  `;
  const { stdout, stderr, code } = await runScript(source);
  expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
  return Number(stdout);
}

// One of them may have begun before the look, and the watcher's thread-safe function is called once
// more at once.
const MAX_TURNS_IN_A_ROW = 3;

test.each(names)('T47 F29 slow handlers: the %s driver returns to Node’s loop after a turn', async (name) => {
  const setUp = `for (let i = 0; i < 2; i++) reactor.register(openReady(), Interest.READABLE, { onReady: spin });`;
  const turns = await countTurnsInARow(name, setUp);
  expect(turns).toBeGreaterThan(0);
  expect(turns).toBeLessThanOrEqual(MAX_TURNS_IN_A_ROW);
});

test.each(names)('T47 F29 slow promises: the %s driver returns to Node’s loop after a turn', async (name) => {
  const setUp = `
    for (let i = 0; i < 2; i++) {
      reactor.register(openReady(), Interest.READABLE, {
        onReady: () => Promise.resolve().then(spin),
      });
    }
  `;
  const turns = await countTurnsInARow(name, setUp);
  expect(turns).toBeGreaterThan(0);
  expect(turns).toBeLessThanOrEqual(MAX_TURNS_IN_A_ROW);
});

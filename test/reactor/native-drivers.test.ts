import { runScript } from '../support/child.js';
import { capabilities } from 'tripoll';

// The reactor contains what handlers throw, so a driver's own guard is reached only from below it.
const names = capabilities.drivers.includes('nested') ? ['nested', 'watcher', 'inverted'] : ['watcher'];

test.each(names)('T55 an exception that reaches the %s driver is not left pending', async (name) => {
  const source = `
    const { native } = require('./dist/binding/native.js');
    const poller = native.pollerOpen(native.backends[0]);
    const log = [];
    process.on('uncaughtException', (error) => log.push(error.message));
    native.driverStart(poller, '${name}', (count) => {
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

// A thread-safe function is called again at once where its thread was quick, a thousand times at most (Node's own bound).
const mostInARow: Record<string, number> = {
  nested: 1024 + 2,
  watcher: 1000 * (1024 + 2),
  inverted: 1024 + 2,
};
test.each(names)(
  'T47 sources that are always ready do not keep the %s driver from returning to Node’s loop',
  async (name) => {
    const source = `
    const { Reactor, Interest } = require('tripoll');
    const { sys } = require('tripoll/raw');
    const { openPipe } = require('./out/test/support/pairs.js');
    const reactor = new Reactor({ driver: '${name}' === 'inverted' ? undefined : '${name}' });
    if ('${name}' === 'inverted') reactor.run();
    let calls = 0;
    for (let i = 0; i < 2; i++) {
      const ends = [];
      openPipe(ends, sys.constants.O_NONBLOCK);
      sys.write(ends[1], new Uint8Array(1));
      reactor.register(ends[0], Interest.READABLE, { onReady: () => calls++ });
    }
    const gaps = [];
    let last = 0;
    const look = () => {
      gaps.push(calls - last);
      last = calls;
      if (gaps.length < 20 || calls === 0) setImmediate(look);
      else { reactor.close(); console.log(Math.max(...gaps) <= ${mostInARow[name]}); }
    };
    setImmediate(look);
  `;
    const { stdout, stderr, code } = await runScript(source);
    expect({ stdout, stderr, code }).toEqual({ stdout: 'true\n', stderr: '', code: 0 });
  },
);

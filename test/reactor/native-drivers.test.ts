import { canNest, systemBackend } from '../support/backends.js';
import { runScript } from '../support/child.js';

// The reactor contains what handlers throw, so a driver's own guard is reached only from below it.
test.each(canNest ? ['nested', 'watcher', 'inverted'] : ['watcher'])(
  'T55 an exception that reaches the %s driver is not left pending',
  async (name) => {
    const source = `
    const { native } = require('./dist/binding/native.js');
    const poller = native.pollerOpen('${systemBackend}');
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
  },
);

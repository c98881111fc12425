import { runFile, runScript } from '../support/child.js';
import { driverKinds } from '../reactor/driver-rig.js';

const automatic = driverKinds
  .filter(({ driver }) => driver !== 'manual')
  .map(({ driver, backend, run }) => [driver, backend, ...(run === true ? ['run'] : [])]);

test.each(automatic.map((kind) => [kind.join(' '), kind]))(
  'T06 T07 events under garbage collection: what is active lives, what is closed goes (%s)',
  async (_name, args) => {
    const result = await runFile('lifecycle/gc-child', { args, nodeOptions: ['--expose-gc'] });
    expect({ ...result, stdout: JSON.parse(result.stdout || 'null') as unknown }).toEqual({
      code: 0,
      signal: null,
      timedOut: false,
      stdout: { finished: 3, alive: 0, whileActive: 6 },
      stderr: '',
    });
  },
);

test('T07 the batch cannot be taken from under the poller', async () => {
  const source = `
    const { Poller } = require('tripoll');
    const poller = new Poller();
    const { words } = poller.events;
    for (const take of [
      () => structuredClone(words.buffer, { transfer: [words.buffer] }),
      () => new MessageChannel().port1.postMessage(words.buffer, [words.buffer]),
      () => words.buffer.transfer && words.buffer.transfer(),
      () => words.buffer.resize(1),
    ]) {
      try { take(); } catch (error) { if (error.name !== 'DataCloneError' && error.name !== 'TypeError') throw error; }
    }
    for (let i = 0; i < 100; i++) { poller.wake(); poller.wait(0); gc(); }
    console.log(words.length > 0 || process.version);
    process.exit();
  `;
  const { code, signal, stderr } = await runScript(source, { nodeOptions: ['--expose-gc'] });
  expect({ code, signal, stderr }).toEqual({ code: 0, signal: null, stderr: '' });
});

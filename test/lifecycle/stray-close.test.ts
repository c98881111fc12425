import { runFile } from '../support/child.js';
import { driverKinds } from '../reactor/driver-rig.js';
import { testAnyFd } from '../support/applies.js';

const automatic = driverKinds
  .filter(({ driver }) => driver !== 'manual')
  .map(({ driver, backend, run }) => [driver, backend, ...(run === true ? ['run'] : [])]);

const watchers = automatic.filter(([driver, , run]) => driver === 'watcher' && run === undefined);

async function expectEnd(which: string, end: string, kind: readonly string[]): Promise<void> {
  const result = await runFile('lifecycle/stray-close-child', { args: [which, end, ...kind] });
  expect(result).toMatchObject({ code: 0, signal: null, timedOut: false });
  expect(result.stdout.trim().split('\n')).toEqual(end === 'exit' ? ['exit'] : ['closed', 'exit']);
}

for (const kind of automatic) {
  for (const end of ['close', 'exit']) {
    testAnyFd(`F34 T96 ${kind.join(' ')}: a stray close of what wakes it, then ${end}`, async () => {
      await expectEnd('wake', end, kind);
    });
  }
}

for (const kind of watchers) {
  for (const end of ['close', 'exit']) {
    testAnyFd(`F34 T96 ${kind.join(' ')}: a stray close of all its fds, then ${end}`, async () => {
      await expectEnd('all', end, kind);
    });
  }
}

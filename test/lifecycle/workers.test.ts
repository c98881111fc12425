import { runFile } from '../support/child.js';
import { namedDriverKinds, type DriverKind } from '../reactor/driver-rig.js';
import type { WorkersPlan, WorkersReport } from './workers-child.js';

const ROUNDS = 10;
const EXITS = 3;

async function runWorkers(plan: WorkersPlan): Promise<string> {
  const result = await runFile('lifecycle/workers-child', { args: [JSON.stringify(plan)] });
  const { code, signal, timedOut, stderr, stdout } = result;
  expect({ code, signal, timedOut, stderr }).toEqual({ code: 0, signal: null, timedOut: false, stderr: '' });
  return stdout;
}

async function expectNothingLeft(plan: WorkersPlan): Promise<void> {
  const { codes, leftOpen } = JSON.parse(await runWorkers(plan)) as WorkersReport;
  expect(leftOpen).toEqual([]);
  // A terminated worker exits with 1.
  expect(new Set(codes)).toEqual(new Set([plan.end === 'natural' ? 0 : 1]));
  expect(codes).toHaveLength(plan.rounds * plan.workers);
}

describe.each(namedDriverKinds)('T50 workers with %s', (_name, kind: DriverKind) => {
  const { driver, backend } = kind;
  const plan: WorkersPlan = {
    ...{ driver, backend, run: kind.run === true, rounds: ROUNDS, workers: 1, mainLoads: false },
    ...{ scenario: 'natural', end: 'natural' },
  };

  test('which alone load the addon: a natural end', () => expectNothingLeft(plan));

  test('which alone load the addon: terminate() in the middle of a wait', () => {
    return expectNothingLeft({ ...plan, rounds: 20, scenario: 'idle', end: 'terminate' });
  });

  test('which alone load the addon: terminate() among events without end', () => {
    return expectNothingLeft({ ...plan, scenario: 'busy', end: 'terminate' });
  });

  test('beside a main thread that has a reactor too', () => {
    return expectNothingLeft({ ...plan, mainLoads: true, rounds: 3, scenario: 'idle', end: 'terminate' });
  });

  test('several at once', async () => {
    await expectNothingLeft({ ...plan, rounds: 2, workers: 4 });
    await expectNothingLeft({ ...plan, rounds: 2, workers: 4, scenario: 'busy', end: 'terminate' });
  });

  test.each(['idle', 'busy'] as const)(
    'process.exit() of the main thread meanwhile (%s)',
    async (scenario) => {
      for (let i = 0; i < EXITS; i++) {
        await runWorkers({ ...plan, workers: 2, scenario, end: 'exit', mainLoads: i % 2 === 1 });
      }
    },
  );
});

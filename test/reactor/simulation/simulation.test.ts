// Random programs over a fake kernel and a fake clock, against a reference model. TRIPOLL_SEED
// repeats one of them, TRIPOLL_SIMULATION_STEPS asks for more than the usual.
import { findFailure, makeProgram, runProgram } from './program.js';
import { swapSystemCalls } from './system-calls.js';

const STEPS_PER_PROGRAM = 1000;
const TOTAL_STEPS = Number(process.env['TRIPOLL_SIMULATION_STEPS'] ?? 200_000);
const PARTS = 4;
const PROGRAMS_PER_PART = Math.ceil(TOTAL_STEPS / STEPS_PER_PROGRAM / PARTS);
const DEADLINE_MS = 600_000;
const MS_PER_DAY = 24 * 60 * 60 * 1000;

let restore: () => void;
beforeAll(() => {
  restore = swapSystemCalls();
});
afterAll(() => restore());

async function runMany(firstSeed: number, programs: number): Promise<void> {
  for (let i = 0; i < programs; i++) {
    const failure = await findFailure(makeProgram(firstSeed + i, STEPS_PER_PROGRAM));
    if (failure !== null) throw new Error(failure);
  }
}

describe('random programs against a reference model', () => {
  // The same ones each time, so that what is committed stays tried.
  for (let part = 1; part < PARTS; part++) {
    const firstSeed = part * 1_000_000;
    test(
      `${PROGRAMS_PER_PART} programs of ${STEPS_PER_PROGRAM} steps, seeds from ${firstSeed}`,
      () => runMany(firstSeed, PROGRAMS_PER_PART),
      DEADLINE_MS,
    );
  }

  // Others each day, so that more is tried by and by.
  const today = Math.floor(Date.now() / MS_PER_DAY) * 1000;
  const firstSeed = Number(process.env['TRIPOLL_SEED'] ?? today);
  test(
    `${PROGRAMS_PER_PART} programs, seeds from ${firstSeed} (the day's, or TRIPOLL_SEED)`,
    () => runMany(firstSeed, PROGRAMS_PER_PART),
    DEADLINE_MS,
  );

  test('a program does the same each time', async () => {
    const program = makeProgram(42, STEPS_PER_PROGRAM);
    const [first, second] = [await runProgram(program, true), await runProgram(program, true)];
    expect(first.failure).toBeNull();
    expect(first.log.length).toBeGreaterThan(100);
    expect(second).toEqual(first);
  });
});

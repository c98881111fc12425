// `select 1` by ten callers through a pool of ten, for so many milliseconds as a line of standard
// input says (`go 1000`); answers how many there were (`done N`). argv: the core.
import { writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { announcePort, enterSideProcess } from '../side-process.js';

interface Pool {
  query(text: string, values: unknown[]): Promise<{ rows: { one: number }[] }>;
}

const callers = 10;
const { Pool } = createRequire(__filename)('pg') as { Pool: new (options: object) => Pool };

async function call(pool: Pool, untilMs: number): Promise<number> {
  let calls = 0;
  for (; performance.now() < untilMs; calls++) {
    const { rows } = await pool.query('select $1::int as one', [1]);
    if (rows[0]?.one !== 1) throw new Error('the wrong answer');
  }
  return calls;
}

enterSideProcess();
const pool = new Pool({ max: callers });
announcePort(0); // it has none: it is the client
const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => {
  const untilMs = performance.now() + Number(line.split(' ')[1]);
  void Promise.all(Array.from({ length: callers }, () => call(pool, untilMs))).then((counts) => {
    writeSync(1, `done ${counts.reduce((sum, count) => sum + count, 0)}\n`);
  });
});
lines.on('close', () => process.exit(0));

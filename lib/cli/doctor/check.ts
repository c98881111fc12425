// What `tripoll doctor` has found, one by one, and how it is printed.

/** `low`: it works, and will bite. `missing`: this system has it not. `failed`: it should work. */
export type Verdict = 'ok' | 'low' | 'missing' | 'failed';

/** One thing that was looked at. */
export interface Check {
  readonly group: string;
  readonly name: string;
  readonly verdict: Verdict;
  /** What was seen. */
  readonly found: string;
  /** What to do; unless it is ok. */
  readonly advice?: string;
}

const MARKS: Readonly<Record<Verdict, string>> = {
  ok: 'ok     ',
  low: 'low    ',
  missing: 'missing',
  failed: 'FAILED ',
};

const COLUMNS = 100;
const INDENT = ' '.repeat(11);

/** Broken between words, each line behind the marks. */
function wrap(text: string): string {
  const lines = [''];
  for (const word of text.split(' ')) {
    const longer = `${lines.at(-1)!} ${word}`.trimStart();
    if (longer.length + INDENT.length > COLUMNS) lines.push(word);
    else lines[lines.length - 1] = longer;
  }
  return lines.map((line) => INDENT + line).join('\n');
}

function lineOf(check: Check, width: number): string {
  const line = `  ${MARKS[check.verdict]}  ${check.name.padEnd(width)}  ${check.found}`;
  if (check.advice === undefined) return line;
  return [line, ...check.advice.split('\n').map(wrap)].join('\n');
}

/** A paragraph for each group, and a line that counts. */
export function describeChecks(checks: readonly Check[]): string {
  const width = Math.max(...checks.map(({ name }) => name.length));
  const groups = [...new Set(checks.map(({ group }) => group))].map((group) => {
    const lines = checks.filter((check) => check.group === group).map((check) => lineOf(check, width));
    return `${group}\n${lines.join('\n')}\n`;
  });
  const count = (verdict: Verdict): number => checks.filter((check) => check.verdict === verdict).length;
  return `${groups.join('\n')}\n${count('ok')} ok, ${count('low')} low, ${count('missing')} missing, ${count('failed')} failed`;
}

/** A number against the least that is enough. */
export function atLeast(
  group: string,
  name: string,
  value: number,
  least: number,
  { found = text(value), advice }: { found?: string; advice: string },
): Check {
  return value >= least
    ? { group, name, verdict: 'ok', found }
    : { group, name, verdict: 'low', found, advice };
}

/** A count, where it may be without limit. */
export function text(value: number): string {
  return value === Infinity ? 'unlimited' : String(value);
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** 8388608 is '8 MiB'. */
export function bytesText(bytes: number): string {
  if (bytes === Infinity) return 'unlimited';
  const unit = bytes < 1 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), UNITS.length - 1);
  return `${Number((bytes / 1024 ** unit).toFixed(1))} ${UNITS[unit]!}`;
}

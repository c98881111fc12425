// Arguments of the command line, by Node's own parser.
import { parseArgs } from 'node:util';

/** An option of a command. */
export interface OptionSpec {
  readonly help: string;
  /** What its value is called in the usage; without it the option takes none. */
  readonly value?: string;
  /** For the parser and the usage. */
  readonly default?: string;
}

/** Values as the parser gives them. */
export type Values = Readonly<Record<string, string | boolean | undefined>>;

/** Where a command prints. */
export interface Output {
  /** A line, or several, to the standard output. */
  print(text: string): void;
  /** To the standard error. */
  complain(text: string): void;
  /** How many lines the terminal has; undefined where it is none. */
  rows?(): number | undefined;
}

/** A command, by its name in the table of `main.ts`. */
export interface Command {
  readonly summary: string;
  readonly options: Readonly<Record<string, OptionSpec>>;
  /** A word that it takes besides, under this name. */
  readonly word?: { readonly name: string; readonly help: string };
  /** The exit status. */
  run(values: Values, output: Output): Promise<number>;
}

/** The arguments are wrong: told without a stack, with exit status 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Whether it is the user's mistake, as one of `parseArgs` is. */
export function isUsageError(error: unknown): error is Error {
  const { name, code } = (error ?? {}) as { name?: unknown; code?: unknown };
  return name === 'UsageError' || (typeof code === 'string' && code.startsWith('ERR_PARSE_ARGS_'));
}

/** @throws what `isUsageError` knows: an unknown option, a missing value, a word too many */
export function parse(args: readonly string[], { options, word }: Pick<Command, 'options' | 'word'>): Values {
  const config: Record<string, { type: 'string' | 'boolean'; default?: string }> = {};
  for (const [name, option] of Object.entries(options)) {
    const type = option.value === undefined ? 'boolean' : 'string';
    config[name] = { type, ...(option.default === undefined ? {} : { default: option.default }) };
  }
  const allowPositionals = word !== undefined;
  const parsed = parseArgs({ args: [...args], options: config, strict: true, allowPositionals });
  const [first, second] = parsed.positionals;
  if (second !== undefined) throw new UsageError(`one word is enough; the second is '${second}'`);
  return first === undefined || word === undefined ? parsed.values : { ...parsed.values, [word.name]: first };
}

/** @throws UsageError when the option's value is no whole number from `low` to `high` */
export function integer(values: Values, name: string, low: number, high: number): number {
  const text = values[name];
  const number = typeof text === 'string' && /^\d{1,15}$/.test(text) ? Number(text) : NaN;
  if (number >= low && number <= high) return number;
  throw new UsageError(`--${name} must be a whole number from ${low} to ${high}; it is '${String(text)}'`);
}

/** The usage of a command's options, a line for each. */
export function describeOptions(options: Command['options']): string {
  const left = ([name, { value }]: [string, OptionSpec]): string =>
    `--${name}${value === undefined ? '' : ` ${value}`}`;
  const entries = Object.entries(options);
  const width = Math.max(0, ...entries.map((entry) => left(entry).length));
  return entries
    .map((entry) => {
      const [, { help, default: value }] = entry;
      return `  ${left(entry).padEnd(width)}  ${help}${value === undefined ? '' : ` (default ${value})`}`;
    })
    .join('\n');
}

// `npx tripoll`: its commands. Nothing here needs the addon, so that usage and doctor work where it
// cannot be loaded; `build` is in bin/tripoll.cjs, which works before there is anything else.
import { describeOptions, isUsageError, parse, type Command, type Output } from './arguments.js';
import { bench } from './bench/bench.js';
import { serve } from './bench/sides.js';
import { doctor } from './doctor/doctor.js';
import { echo } from './echo.js';
import { top } from './top/top.js';
import { trace } from './trace.js';

/** Of wrong arguments; 1 is a failure. */
const USAGE_STATUS = 2;

const json = { help: 'JSON, for programs' };
const word = {
  name: 'process',
  help: 'its number, or the path of its socket; default: the only one that there is',
};

const COMMANDS: Readonly<Record<string, Command>> = {
  doctor: {
    summary: 'what works on this machine, the limits that will bite, and what to do',
    options: { json },
    run: doctor,
  },
  echo: {
    summary: 'a TCP server that sends back what it gets, until it is stopped',
    options: {
      host: { value: 'ADDRESS', default: '127.0.0.1', help: 'an IP address' },
      port: { value: 'PORT', default: '7007', help: '0 is any that is free' },
    },
    run: (values, output) => echo(values, output),
  },
  top: {
    summary: 'what a process with an ObserveServer is doing, every second',
    word,
    options: {
      interval: { value: 'SECONDS', default: '1', help: 'between two looks' },
      once: { help: 'one look, over one interval' },
      json: { help: 'JSON, for programs: a line for each look' },
    },
    run: (values, output) => top(values, output),
  },
  trace: {
    summary: 'records such a process, for Perfetto',
    word,
    options: {
      seconds: { value: 'N', default: '5', help: 'how long' },
      output: { value: 'FILE', default: 'tripoll-trace.json', help: 'where to; overwritten' },
    },
    run: (values, output) => trace(values, output),
  },
  bench: {
    summary: 'TCP echo by tripoll and by node:net, side by side',
    options: {
      connections: { value: 'N', default: '50', help: 'each with one message on its way' },
      bytes: { value: 'N', default: '64', help: 'of a message' },
      rounds: { value: 'N', default: '5', help: 'of each, by turns' },
      seconds: { value: 'N', default: '1', help: 'of a round' },
      json,
    },
    run: (values, output) => bench(values, output),
  },
};

/** What `bench` starts. */
const INTERNAL: Readonly<Record<string, Command>> = {
  'bench-server': {
    summary: 'a side of bench',
    options: { side: { value: 'NAME', help: 'which' } },
    run: ({ side }) => serve(String(side)),
  },
};

const BUILD = { name: 'build', summary: 'compiles the addon for this machine' };

function usage(): string {
  const commands = [...Object.entries(COMMANDS).map(([name, { summary }]) => ({ name, summary })), BUILD];
  const width = Math.max(...commands.map(({ name }) => name.length));
  const lines = commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`);
  return `usage: tripoll COMMAND [OPTION...]\n\n${lines.join('\n')}\n\ntripoll COMMAND --help tells its options.`;
}

function usageOf(name: string, { summary, options, word: more }: Command): string {
  const words = more === undefined ? '' : ` [${more.name.toUpperCase()}]`;
  const about = more === undefined ? '' : `\n${more.name.toUpperCase()}: ${more.help}\n`;
  return `usage: tripoll ${name} [OPTION...]${words}\n\n${summary}\n${about}\n${describeOptions(options)}`;
}

async function runCommand(name: string, args: readonly string[], output: Output): Promise<number> {
  const command = [COMMANDS, INTERNAL].find((table) => Object.hasOwn(table, name))?.[name];
  if (command === undefined) {
    output.complain(`tripoll: there is no command ${name}\n\n${usage()}`);
    return USAGE_STATUS;
  }
  if (args.includes('--help') || args.includes('-h')) {
    output.print(usageOf(name, command));
    return 0;
  }
  try {
    return await command.run(parse(args, command), output);
  } catch (error) {
    if (isUsageError(error)) {
      output.complain(`tripoll ${name}: ${error.message}\n\n${usageOf(name, command)}`);
      return USAGE_STATUS;
    }
    const { message, stack, code } = error as Error & { code?: unknown };
    // What the system or this library says is for the user, with a code; the rest is a mistake of ours.
    output.complain(`tripoll ${name}: ${code === undefined ? (stack ?? String(error)) : message}`);
    return 1;
  }
}

/** Runs the command that the arguments name; settles to the exit status. */
export async function main(args: readonly string[], version: string, output: Output): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    output.print(usage());
    return 0;
  }
  if (name === '--version' || name === '-v') {
    output.print(version);
    return 0;
  }
  return runCommand(name, rest, output);
}

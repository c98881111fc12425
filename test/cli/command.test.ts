// The command: its usage, its statuses, and each of its commands once.
import { once } from 'node:events';
import { connect } from 'node:net';
import { capabilities } from 'tripoll';
import { main } from '#lib/cli/main';
import { reportOf, runCommand } from '../support/child.js';
import { until, within } from '../support/deadline.js';

interface Result {
  readonly status: number;
  readonly printed: string;
  readonly complained: string;
}

/** In this process. */
async function run(...args: string[]): Promise<Result> {
  const [printed, complained]: [string[], string[]] = [[], []];
  const output = {
    print: (text: string) => void printed.push(text),
    complain: (text: string) => void complained.push(text),
  };
  const status = await main(args, '1.2.3', output);
  return { status, printed: printed.join('\n'), complained: complained.join('\n') };
}

test.each([[[]], [['--help']], [['-h']], [['help']]])('usage: %j', async (args) => {
  const { status, printed, complained } = await run(...args);
  expect({ status, complained }).toEqual({ status: 0, complained: '' });
  for (const name of ['doctor', 'echo', 'top', 'trace', 'bench', 'build'])
    expect(printed).toMatch(new RegExp(`^  ${name} `, 'm'));
  expect(printed).not.toContain('bench-server');
});

test.each(['doctor', 'echo', 'top', 'trace', 'bench'])(
  '%s --help tells its options, and does nothing',
  async (name) => {
    const { status, printed } = await run(name, '--help');
    expect(status).toBe(0);
    expect(printed).toMatch(new RegExp(`^usage: tripoll ${name}`));
  },
);

test('--version', async () => {
  expect(await run('--version')).toEqual({ status: 0, printed: '1.2.3', complained: '' });
});

test.each([
  { args: ['frobnicate'], says: 'no command frobnicate' },
  { args: ['toString'], says: 'no command toString' },
  { args: ['doctor', '--fast'], says: '--fast' },
  { args: ['doctor', 'word'], says: 'word' },
  { args: ['echo', '--port'], says: '--port' },
  { args: ['echo', '--port', '65536'], says: '--port must be a whole number from 0 to 65535' },
  { args: ['echo', '--port', '-1'], says: '--port' },
  { args: ['echo', '--port', '1e3'], says: '--port must be' },
  { args: ['bench', '--rounds', '0'], says: '--rounds must be a whole number from 1' },
  { args: ['bench', '--bytes', ''], says: '--bytes must be' },
])('wrong arguments: $args', async ({ args, says }) => {
  const { status, printed, complained } = await run(...args);
  expect({ status, printed }).toEqual({ status: 2, printed: '' });
  expect(complained).toContain(says);
  expect(complained).toContain('usage: tripoll');
  expect(complained).not.toMatch(/^ +at /m);
});

test('what the system says is told without a stack, with status 1', async () => {
  const { status, complained } = await run('echo', '--host', '192.0.2.1', '--port', '0');
  expect(status).toBe(1);
  expect(complained).toMatch(/^tripoll echo: .*EADDRNOTAVAIL/);
  expect(complained).not.toMatch(/^ +at /m);
});

test('echo, until it is stopped', async () => {
  const printed: string[] = [];
  const output = {
    print: (text: string) => void printed.push(text),
    complain: (text: string) => void printed.push(text),
  };
  const ended = main(['echo', '--port', '0'], '', output);
  await until(() => printed.length > 0, 'it says where it listens');
  const port = Number(/port (\d+)/.exec(printed[0]!)?.[1]);
  const client = connect({ host: '127.0.0.1', port });
  client.write('hello');
  const [chunk] = (await within(once(client, 'data'), 'the echo')) as [Buffer];
  expect(chunk.toString()).toBe('hello');
  client.end();
  process.emit('SIGTERM', 'SIGTERM');
  expect(await within(ended, 'its end')).toBe(0);
});

test('doctor finds each poller and driver that the package claims, and nothing that fails', async () => {
  const result = await runCommand(['doctor', '--json'], { deadlineMs: 60_000 });
  const { checks } = reportOf(result) as { checks: { group: string; name: string; verdict: string }[] };
  const ofGroup = (group: string): string[] =>
    checks.filter((check) => check.group === group).map(({ name }) => name);
  expect(ofGroup('pollers')).toEqual([...capabilities.backends, 'short waits']);
  expect(ofGroup('drivers')).toEqual([...capabilities.drivers, 'run()']);
  expect(ofGroup('sockets')).toEqual(expect.arrayContaining(['TCP, IPv4', 'TCP, IPv6']));
  expect(checks.filter(({ verdict }) => verdict === 'failed')).toEqual([]);
}, 70_000);

test('doctor for people', async () => {
  const { stdout, code } = await runCommand(['doctor'], { deadlineMs: 60_000 });
  expect(code).toBe(0);
  expect(stdout).toMatch(new RegExp(`^  ok +${capabilities.backends[0]!} `, 'm'));
  expect(stdout).toMatch(/\d+ ok, \d+ low, \d+ missing, 0 failed\n$/);
}, 70_000);

test('bench counts messages of both sides', async () => {
  const args = ['bench', '--json', '--rounds', '1', '--seconds', '1', '--connections', '2'];
  const { sides } = reportOf(await runCommand(args, { deadlineMs: 60_000 })) as {
    sides: Record<string, { rounds: { messages: number; cpuUsPerMessage: number; p50Us: number }[] }>;
  };
  expect(Object.keys(sides)).toEqual(['tripoll', 'node:net']);
  for (const { rounds } of Object.values(sides)) {
    expect(rounds).toHaveLength(1);
    for (const figure of ['messages', 'cpuUsPerMessage', 'p50Us'] as const)
      expect(rounds[0]![figure]).toBeGreaterThan(0);
  }
}, 70_000);

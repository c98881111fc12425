// doctor's limits, over files that are given, and how it tells of a probe.
import { describeChecks, type Check } from '#lib/cli/doctor/check';
import { linuxLimits, openFiles } from '#lib/cli/doctor/limits';
import { Low, probe, type Probe } from '#lib/cli/doctor/probe';

const errorWith = (code: string): Error => Object.assign(new Error(code), { code });

const host = { platform: 'linux-x64', release: '6.12.0', runtime: 'node 22.0.0', cores: 8 };

/** What would be on a machine that has nothing to complain of. */
const GOOD: Readonly<Record<string, string>> = {
  '/proc/self/limits':
    'Limit                     Soft Limit           Hard Limit           Units     \n' +
    'Max open files            65536                65536                files     \n' +
    'Max locked memory         unlimited            unlimited            bytes     \n',
  '/proc/sys/net/core/somaxconn': '4096\n',
  '/proc/sys/net/ipv4/tcp_max_syn_backlog': '4096\n',
  '/proc/sys/net/core/rmem_max': '8388608\n',
  '/proc/sys/net/core/wmem_max': '8388608\n',
  '/proc/sys/net/ipv4/tcp_rmem': '4096\t131072\t6291456\n',
  '/proc/sys/net/ipv4/tcp_wmem': '4096\t16384\t4194304\n',
  '/proc/sys/net/ipv4/tcp_mem': '100\t1000\t2000\n',
  '/proc/net/sockstat': 'sockets: used 5\nTCP: inuse 2 orphan 0 tw 0 alloc 3 mem 10\nUDP: inuse 1 mem 9999\n',
  '/proc/sys/net/ipv4/ip_local_port_range': '32768\t60999\n',
  '/proc/sys/net/netfilter/nf_conntrack_max': '1000\n',
  '/proc/sys/net/netfilter/nf_conntrack_count': '10\n',
  '/proc/sys/net/core/optmem_max': '131072\n',
  '/proc/self/cgroup': '0::/app/web\n',
  '/sys/fs/cgroup/app/web/cpu.max': 'max 100000\n',
  '/sys/fs/cgroup/app/web/memory.max': 'max\n',
  '/sys/fs/cgroup/app/web/memory.current': '1048576\n',
  '/sys/fs/cgroup/app/web/pids.max': '1000\n',
  '/sys/fs/cgroup/app/web/pids.current': '20\n',
  '/proc/self/status': 'Name:\tnode\nCapEff:\t0000000000000400\nNoNewPrivs:\t0\nSeccomp:\t2\n',
};

/** The checks with other files, or without some. */
function limitsWith(other: Readonly<Record<string, string | undefined>> = {}): Check[] {
  const files = { ...GOOD, ...other };
  return linuxLimits((file) => files[file], host);
}

const lowOf = (checks: readonly Check[]): string[] =>
  checks.filter(({ verdict }) => verdict !== 'ok').map(({ name }) => name);

const foundIn = (checks: readonly Check[], name: string): string | undefined =>
  checks.find((check) => check.name === name)?.found;

test('a machine with enough of all', () => {
  const checks = limitsWith();
  expect(lowOf(checks)).toEqual([]);
  expect(checks).toHaveLength(17);
  expect(foundIn(checks, 'net.ipv4.tcp_rmem')).toBe('6 MiB');
  expect(foundIn(checks, 'net.ipv4.tcp_mem')).toBe('40 KiB of 3.9 MiB in use');
  expect(foundIn(checks, 'privileges')).toBe('CAP_NET_BIND_SERVICE');
  expect(foundIn(checks, 'seccomp filter')).toMatch(/^mode 2/);
});

test.each([
  {
    name: 'open files',
    file: '/proc/self/limits',
    text: 'Max open files            1024                 4096\n',
  },
  { name: 'net.core.somaxconn', file: '/proc/sys/net/core/somaxconn', text: '128\n' },
  { name: 'net.ipv4.tcp_max_syn_backlog', file: '/proc/sys/net/ipv4/tcp_max_syn_backlog', text: '128\n' },
  { name: 'net.core.rmem_max', file: '/proc/sys/net/core/rmem_max', text: '212992\n' },
  { name: 'net.core.wmem_max', file: '/proc/sys/net/core/wmem_max', text: '212992\n' },
  { name: 'net.ipv4.tcp_rmem', file: '/proc/sys/net/ipv4/tcp_rmem', text: '4096 131072 131072\n' },
  { name: 'net.ipv4.tcp_wmem', file: '/proc/sys/net/ipv4/tcp_wmem', text: '4096 16384 65536\n' },
  {
    name: 'net.ipv4.tcp_mem',
    file: '/proc/net/sockstat',
    text: 'TCP: inuse 2 orphan 0 tw 0 alloc 3 mem 900\n',
  },
  { name: 'outgoing ports', file: '/proc/sys/net/ipv4/ip_local_port_range', text: '40000 41000\n' },
  { name: 'nf_conntrack', file: '/proc/sys/net/netfilter/nf_conntrack_count', text: '900\n' },
  { name: 'net.core.optmem_max', file: '/proc/sys/net/core/optmem_max', text: '20480\n' },
  { name: 'cgroup cpu', file: '/sys/fs/cgroup/app/web/cpu.max', text: '150000 100000\n' },
  { name: 'cgroup memory', file: '/sys/fs/cgroup/app/web/memory.max', text: '1200000\n' },
  { name: 'cgroup pids', file: '/sys/fs/cgroup/app/web/pids.current', text: '990\n' },
])('$name that is low is told, with what to do', ({ name, file, text }) => {
  const checks = limitsWith({ [file]: text });
  expect(lowOf(checks)).toEqual([name]);
  expect(checks.find((check) => check.name === name)?.advice?.length).toBeGreaterThan(20);
});

test('what is not there is not told', () => {
  expect(linuxLimits(() => undefined, host)).toEqual([]);
  expect(openFiles(undefined)).toEqual([]);
  expect(lowOf(openFiles(256))).toEqual(['open files']);
  expect(lowOf(openFiles(Infinity))).toEqual([]);
});

test('of control groups the tightest counts, up to the root', () => {
  const checks = limitsWith({
    '/sys/fs/cgroup/app/cpu.max': '200000 100000\n',
    '/sys/fs/cgroup/app/memory.max': '1073741824\n',
    '/sys/fs/cgroup/app/memory.current': '2097152\n',
  });
  expect(foundIn(checks, 'cgroup cpu')).toBe('2 cores of 8');
  expect(foundIn(checks, 'cgroup memory')).toBe('1 GiB, 2 MiB in use');
  expect(checks.find(({ name }) => name === 'cgroup cpu')?.advice).toContain('workers: 2');
});

test('control groups of version 1, and a path that is not there', () => {
  const checks = limitsWith({
    '/proc/self/cgroup': '4:memory:/docker/1\n2:cpu,cpuacct:/docker/1\n3:pids:/\n0::/\n',
    '/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us': '50000\n',
    '/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us': '100000\n',
    '/sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes': '9223372036854771712\n',
    '/sys/fs/cgroup/memory/docker/1/memory.usage_in_bytes': '1024\n',
    '/sys/fs/cgroup/pids/pids.max': 'max\n',
  });
  expect(foundIn(checks, 'cgroup cpu')).toBe('0.5 cores of 8');
  expect(checks.find(({ name }) => name === 'cgroup cpu')?.advice).toContain('workers: 1');
  expect(foundIn(checks, 'cgroup memory')).toBe('unlimited, 1 KiB in use');
  expect(foundIn(checks, 'cgroup pids')).toBe('unlimited');
});

test('a control group of version 1 without a quota says so by -1', () => {
  const checks = limitsWith({
    '/proc/self/cgroup': '2:cpu:/\n',
    '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n',
    '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
  });
  expect(foundIn(checks, 'cgroup cpu')).toBe('no quota');
  expect(lowOf(checks)).toEqual([]);
});

describe('a probe', () => {
  const base = { group: 'g', name: 'n', advice: 'do this' };
  const verdictOf = (run: Probe['run'], more: Partial<Probe> = {}): Promise<Check> =>
    probe({ ...base, driver: 'manual', ...more, run });

  test('that works', async () => {
    expect(await verdictOf(() => 'seen')).toEqual({ group: 'g', name: 'n', verdict: 'ok', found: 'seen' });
  });

  test.each([
    { what: 'an error', error: new Error('no\nmore'), verdict: 'failed', found: 'no' },
    { what: 'a code of what is missing', error: errorWith('ENOPROTOOPT'), verdict: 'missing' },
    { what: 'its own code for that', error: errorWith('EADDRNOTAVAIL'), verdict: 'missing' },
    { what: 'another code', error: errorWith('EACCES'), verdict: 'failed' },
    { what: 'less than it should be', error: new Low('slow'), verdict: 'low', found: 'slow' },
  ])('with $what', async ({ error, verdict, found = error.message }) => {
    const run = (): never => {
      throw error;
    };
    const absent = ['EADDRNOTAVAIL'];
    expect(await verdictOf(run, { absent })).toEqual({ ...base, verdict, found });
    expect(await verdictOf(() => Promise.reject(error), { absent })).toEqual({ ...base, verdict, found });
  });

  test('that does not end', async () => {
    let isClosed = (): boolean => false;
    const check = await verdictOf(
      (reactor) => {
        isClosed = () => reactor.closed;
        return new Promise(() => {});
      },
      { deadlineMs: 1 },
    );
    expect(check).toEqual({ ...base, verdict: 'failed', found: 'no end after 1 ms' });
    expect(isClosed()).toBe(true);
  });

  test('has its advice broken between words', () => {
    const advice = Array.from({ length: 60 }, () => 'word').join(' ');
    const lines = describeChecks([{ ...base, verdict: 'low', found: 'seen', advice }]).split('\n');
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(100);
    expect(lines.join(' ').match(/word/g)).toHaveLength(60);
  });

  test('is printed with its advice, and counted', () => {
    const text = describeChecks([
      { group: 'g', name: 'one', verdict: 'ok', found: 'seen' },
      { ...base, verdict: 'failed', found: 'not seen' },
    ]);
    expect(text).toBe(
      'g\n  ok       one  seen\n  FAILED   n    not seen\n           do this\n\n1 ok, 0 low, 0 missing, 1 failed',
    );
  });
});

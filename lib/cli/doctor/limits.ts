// The limits that bite a program of many sockets, from Linux's own files. Elsewhere only that of
// open files is read.
import type { Host } from '../../binding/host.js';
import { cpuQuota, memoryUsage, pidsUsage } from './cgroup.js';
import { atLeast, bytesText, text, type Check } from './check.js';
import { numberOf, numbersOf, softLimit, statusOf, type Read } from './proc.js';

const MIB = 2 ** 20;
/** tcp_mem counts in pages: 4 KiB, or more on some arm64. The share that is used does not change. */
const PAGE_BYTES = 4096;

const FILES = 16_384;
const BACKLOG = 4096;
const UDP_BUFFER_BYTES = 4 * MIB;
const TCP_BUFFER_BYTES = 4 * MIB;
const PORTS = 20_000;
const FULL = 0.8;
const FREE_THREADS = 64;
const LOCKED_BYTES = MIB;
const OPTION_BYTES = 65_536;

const LIMITS = 'limits';

const sysctl = (name: string, value: string): string => `sysctl -w ${name}='${value}'`;

/** Each fd: a socket, a file, a pipe's end. Node raises the soft limit to the hard one as it starts. */
export function openFiles(soft: number | undefined): Check[] {
  if (soft === undefined) return [];
  const advice =
    'each connection takes one: `ulimit -n 65536` before the program, LimitNOFILE=65536 in its systemd ' +
    'unit, --ulimit nofile=65536:65536 of docker run';
  return [atLeast(LIMITS, 'open files', soft, FILES, { advice })];
}

/** A value of /proc/sys against the least that is enough. */
function setting(read: Read, name: string, least: number, advice: string, asText = text): Check[] {
  const value = numbersOf(read, `/proc/sys/${name.replaceAll('.', '/')}`).at(-1);
  if (value === undefined) return [];
  return [atLeast(LIMITS, name, value, least, { found: asText(value), advice })];
}

function queues(read: Read): Check[] {
  const refused = 'connections beyond it wait for a second SYN, or are refused';
  return [
    ...setting(
      read,
      'net.core.somaxconn',
      BACKLOG,
      `it cuts every \`backlog\`; ${refused}: ${sysctl('net.core.somaxconn', '4096')}`,
    ),
    ...setting(
      read,
      'net.ipv4.tcp_max_syn_backlog',
      1024,
      `${refused}: ${sysctl('net.ipv4.tcp_max_syn_backlog', '4096')}`,
    ),
  ];
}

function buffers(read: Read): Check[] {
  const udp = (name: string, option: string): Check[] =>
    setting(
      read,
      `net.core.${name}`,
      UDP_BUFFER_BYTES,
      `it cuts ${option}, so that bursts of UDP are lost; TCP that sets no buffer is not concerned: ${sysctl(`net.core.${name}`, '8388608')}`,
      bytesText,
    );
  const tcp = (name: string): Check[] =>
    setting(
      read,
      `net.ipv4.${name}`,
      TCP_BUFFER_BYTES,
      `a connection passes no more than this in a round trip: ${sysctl(`net.ipv4.${name}`, '4096 131072 6291456')}`,
      bytesText,
    );
  return [
    ...udp('rmem_max', 'receiveBufferBytes'),
    ...udp('wmem_max', 'sendBufferBytes'),
    ...tcp('tcp_rmem'),
    ...tcp('tcp_wmem'),
  ];
}

/** All of TCP's buffers together; what is in use is told by /proc/net/sockstat. */
function tcpMemory(read: Read): Check[] {
  const [, pressure] = numbersOf(read, '/proc/sys/net/ipv4/tcp_mem');
  if (pressure === undefined) return [];
  const pages = /^TCP:.* mem (\d+)/m.exec(read('/proc/net/sockstat') ?? '')?.[1];
  const used = pages === undefined ? 0 : Number(pages);
  const found = `${bytesText(used * PAGE_BYTES)} of ${bytesText(pressure * PAGE_BYTES)} in use`;
  const advice =
    'beyond it the kernel shrinks every window, then drops what comes: find who does not read, or raise net.ipv4.tcp_mem';
  return [atLeast(LIMITS, 'net.ipv4.tcp_mem', FULL * pressure - used, 0, { found, advice })];
}

function ports(read: Read): Check[] {
  const [low, high] = numbersOf(read, '/proc/sys/net/ipv4/ip_local_port_range');
  if (low === undefined || high === undefined) return [];
  const advice = `so many connections to one address and port, then EADDRNOTAVAIL: ${sysctl('net.ipv4.ip_local_port_range', '1024 65535')}`;
  const count = high - low + 1;
  return [atLeast(LIMITS, 'outgoing ports', count, PORTS, { found: `${count} (${low} to ${high})`, advice })];
}

function tracking(read: Read): Check[] {
  const [max, count] = ['max', 'count'].map((end) =>
    numberOf(read, `/proc/sys/net/netfilter/nf_conntrack_${end}`),
  );
  if (max === undefined || count === undefined) return [];
  const advice = `when the firewall's table is full, packets are dropped: ${sysctl('net.netfilter.nf_conntrack_max', text(2 * max))}`;
  const found = `${count} of ${max} connections tracked`;
  return [atLeast(LIMITS, 'nf_conntrack', FULL * max - count, 0, { found, advice })];
}

/** What `writeZeroCopy` pins. */
function locked(read: Read): Check[] {
  const bytes = softLimit(read, 'Max locked memory');
  const advice = 'writeZeroCopy pins what it sends, and ends with ENOBUFS beyond it: ';
  return [
    ...(bytes === undefined
      ? []
      : [
          atLeast(LIMITS, 'locked memory', bytes, LOCKED_BYTES, {
            found: bytesText(bytes),
            advice: `${advice}LimitMEMLOCK=8M in the systemd unit, --ulimit memlock=8388608 of docker run`,
          }),
        ]),
    ...setting(
      read,
      'net.core.optmem_max',
      OPTION_BYTES,
      `${advice}${sysctl('net.core.optmem_max', '131072')}`,
      bytesText,
    ),
  ];
}

function cgroups(read: Read, { cores }: Host): Check[] {
  const checks: Check[] = [];
  const quota = cpuQuota(read);
  if (quota !== undefined) {
    const found = quota === Infinity ? 'no quota' : `${Number(quota.toFixed(2))} cores of ${cores}`;
    const advice = `more threads than that use the quota up early, and all stand still for the rest of each period: \`workers: ${Math.max(1, Math.floor(quota))}\` of a Runtime`;
    checks.push(atLeast(LIMITS, 'cgroup cpu', quota, cores, { found, advice }));
  }
  const memory = memoryUsage(read);
  if (memory !== undefined) {
    const used = memory.used === undefined ? '' : `, ${bytesText(memory.used)} in use`;
    const advice =
      'at the limit the process is killed, and sockets’ buffers count: raise it, or keep less queued';
    const free = FULL * memory.limit - (memory.used ?? 0);
    const found = `${bytesText(memory.limit)}${used}`;
    checks.push(atLeast(LIMITS, 'cgroup memory', free, 0, { found, advice }));
  }
  const pids = pidsUsage(read);
  if (pids !== undefined) {
    const found = `${text(pids.limit)}${pids.used === undefined ? '' : `, ${pids.used} in use`}`;
    const advice = 'each thread counts, and a Node has ten or more: raise pids.max (docker run --pids-limit)';
    checks.push(
      atLeast(LIMITS, 'cgroup pids', pids.limit - (pids.used ?? 0), FREE_THREADS, { found, advice }),
    );
  }
  return checks;
}

/** Low ports; `busyPollUs` and buffers by force; `Packet` and `bindToDevice`: by bit. */
const PRIVILEGES = { CAP_NET_BIND_SERVICE: 10, CAP_NET_ADMIN: 12, CAP_NET_RAW: 13 };

/** What the process may, and what its filter of system calls may refuse: told, not judged. */
function rights(read: Read): Check[] {
  const checks: Check[] = [];
  const effective = statusOf(read, 'CapEff');
  if (effective !== undefined) {
    const bits = BigInt(`0x${effective}`);
    const has = ([, bit]: [string, number]): boolean => ((bits >> BigInt(bit)) & 1n) === 1n;
    const names = Object.entries(PRIVILEGES)
      .filter(has)
      .map(([name]) => name);
    const found = names.join(', ') || 'none of those that concern sockets';
    checks.push({ group: LIMITS, name: 'privileges', verdict: 'ok', found });
  }
  const mode = statusOf(read, 'Seccomp');
  if (mode !== undefined) {
    const found = mode === '0' ? 'none' : `mode ${mode}: what is missing above may be its doing`;
    checks.push({ group: LIMITS, name: 'seccomp filter', verdict: 'ok', found });
  }
  return checks;
}

/** Of Linux. */
export function linuxLimits(read: Read, host: Host): Check[] {
  return [
    ...openFiles(softLimit(read, 'Max open files')),
    ...queues(read),
    ...buffers(read),
    ...tcpMemory(read),
    ...ports(read),
    ...tracking(read),
    ...locked(read),
    ...cgroups(read, host),
    ...rights(read),
  ];
}

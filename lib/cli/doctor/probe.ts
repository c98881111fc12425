// Runs one probe, on a reactor of its own: what it throws, or that it does not end, is what was
// found.
import type { BackendName, DriverName } from '../../binding/capabilities.js';
import { native } from '../../binding/native.js';
import { setTimeout } from '../../binding/host-clock.js';
import { Reactor } from '../../reactor/reactor.js';
import { sys } from '../../sys/sys.js';
import type { Check, Verdict } from './check.js';

/** Far beyond what any of them takes on a machine under load. */
const PROBE_MS = 5000;

/** What is probed, and what to do when it does not work. */
export interface Probe {
  readonly group: string;
  readonly name: string;
  readonly advice: string;
  readonly backend?: BackendName;
  readonly driver?: DriverName;
  /** Codes that say, of this one, that the system has it not. */
  readonly absent?: readonly string[];
  readonly deadlineMs?: number;
  /** What was seen, in words. */
  readonly run: (reactor: Reactor) => string | Promise<string>;
}

/** It works, and less well than it should. */
export class Low extends Error {
  override readonly name = 'Low';
}

/** What a system without it says. */
const MISSING = ['ERR_TRIPOLL_UNSUPPORTED', 'ENOPROTOOPT', 'ENOSYS', 'ENOTTY', 'EOPNOTSUPP', 'EAFNOSUPPORT'];

function verdictOf({ name, code }: Error & { code?: unknown }, absent: readonly string[]): Verdict {
  if (name === 'Low') return 'low';
  return typeof code === 'string' && [...MISSING, ...absent].includes(code) ? 'missing' : 'failed';
}

/** Rejects after so long. */
function deadline(ms: number): { readonly late: Promise<never>; clear(): void } {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no end after ${ms} ms`)), ms);
  });
  return { late, clear: () => clearTimeout(timer) };
}

/** Never rejects. What the probe left on its reactor is closed with it. */
export async function probe(what: Probe): Promise<Check> {
  const { group, name, advice, backend, driver, absent = [], deadlineMs = PROBE_MS, run } = what;
  const { late, clear } = deadline(deadlineMs);
  let reactor: Reactor | undefined;
  try {
    reactor = new Reactor({ backend, driver });
    return { group, name, verdict: 'ok', found: await Promise.race([run(reactor), late]) };
  } catch (error) {
    const [found = ''] = (error as Error).message.split('\n');
    return { group, name, verdict: verdictOf(error as Error, absent), found, advice };
  } finally {
    clear();
    reactor?.close();
  }
}

/** @throws Error, with the errno's name as `code`, for a negative result of `sys` */
export function need(result: number, call: string): number {
  if (result >= 0) return result;
  const code = Object.entries(sys.errno).find(([, errno]) => errno === -result)?.[0] ?? String(-result);
  throw Object.assign(new Error(`${call}: ${code}`), { code });
}

/** A UDP socket that is connected to itself: the smallest thing that becomes readable on any system. */
export function withSelfSocket<Result>(work: (fd: number) => Result): Result {
  const {
    AF_INET,
    SOCK_DGRAM,
    SOCK_NONBLOCK = 0,
    SOCK_CLOEXEC = 0,
  } = native.constants as Record<'AF_INET' | 'SOCK_DGRAM', number> & {
    SOCK_NONBLOCK?: number;
    SOCK_CLOEXEC?: number;
  };
  const fd = need(sys.socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC), 'socket');
  const close = (): void => void sys.close(fd);
  let result: Result;
  try {
    need(sys.bind(fd, '127.0.0.1:0'), 'bind');
    const name: { port?: number } = {};
    need(sys.getsockname(fd, name), 'getsockname');
    need(sys.connect(fd, { host: '127.0.0.1', port: name.port ?? 0 }), 'connect');
    result = work(fd);
  } catch (error) {
    close();
    throw error;
  }
  if (typeof (result as Partial<Promise<unknown>> | undefined)?.then === 'function') {
    return (result as Promise<unknown>).finally(close) as Result;
  }
  close();
  return result;
}

/** @throws Error with this message when it does not hold */
export function expect(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise);
}

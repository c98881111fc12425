import { closeSync, openSync } from 'node:fs';
import { Epoll, type EpollParams, type ErrnoName, sys } from 'tripoll/raw';
import { closed, invalidType, outOfRange, thrownBy } from '../support/errors';
import { testIf } from '../support/applies';
import { hasBackend } from '../support/backends';
import { openedSince, openFds } from '../support/fds';
import { constant, minus, nowNs, Rig, send } from '../poller/rig';
import { drain } from '../support/pairs';

const IN = sys.constants['EPOLLIN'] ?? 0;
const OUT = sys.constants['EPOLLOUT'] ?? 0;
const ADD = sys.constants['EPOLL_CTL_ADD'] ?? 0;
const MOD = sys.constants['EPOLL_CTL_MOD'] ?? 0;
const DEL = sys.constants['EPOLL_CTL_DEL'] ?? 0;

// Elsewhere every test of this file is skipped.
const test = testIf(hasBackend('epoll'), 'this system has no epoll');

let before = new Map<number, string>();
let rig: Rig;
let epoll: Epoll;
const out = new Uint32Array(3 * 8);

beforeEach(() => {
  before = openFds();
  rig = new Rig(() => {
    throw new Error('no poller here');
  });
  epoll = new Epoll();
});

afterEach(() => {
  epoll.close();
  rig.end();
  expect(openedSince(before)).toEqual([]);
});

function systemError(code: ErrnoName, syscall: string): object {
  return { name: 'Error', code, errno: minus(code), syscall };
}

/** [events, data] of each event. */
function wait(timeoutNs = 1e9): [number, number][] {
  const count = epoll.pwait2(out, timeoutNs);
  return Array.from({ length: count }, (_, i) => [
    out[3 * i] ?? 0,
    (out[3 * i + 1] ?? 0) + (out[3 * i + 2] ?? 0) * 2 ** 32,
  ]);
}

test('ctl adds, modifies and deletes; pwait2 gives events and data', () => {
  const [reader, writer] = rig.pipe();
  epoll.ctl(ADD, reader, IN);
  epoll.ctl(ADD, writer, OUT, 2 ** 53 - 1);
  expect(wait()).toEqual([[OUT, 2 ** 53 - 1]]);
  send(writer);
  expect(wait().sort((a, b) => a[1] - b[1])).toEqual([
    [IN, reader],
    [OUT, 2 ** 53 - 1],
  ]);
  epoll.ctl(MOD, reader, IN, 2 ** 32 + 7);
  epoll.ctl(DEL, writer);
  expect(wait()).toEqual([[IN, 2 ** 32 + 7]]);
  drain(reader);
  expect(wait(0)).toEqual([]);
});

test('flags are those of the system: edge, oneshot, RDHUP, and bit 31', () => {
  const [one, other] = rig.sockets();
  const RDHUP = constant('EPOLLRDHUP');
  epoll.ctl(ADD, one, (IN | RDHUP | constant('EPOLLET')) >>> 0);
  send(other);
  expect(wait()).toEqual([[IN, one]]);
  expect(wait(0)).toEqual([]);
  epoll.ctl(MOD, one, IN | RDHUP | constant('EPOLLONESHOT'));
  sys.shutdown(other, constant('SHUT_WR'));
  expect(wait()).toEqual([[IN | RDHUP, one]]);
  expect(wait(0)).toEqual([]);
});

test("F26 flags whose bit 31 JavaScript's | made a sign", () => {
  const [one, other] = rig.sockets();
  const signed = IN | constant('EPOLLET');
  expect(signed).toBeLessThan(0);
  epoll.ctl(ADD, one, signed);
  send(other);
  expect(wait()).toEqual([[IN, one]]);
  expect(wait(0)).toEqual([]);
  epoll.ctl(MOD, one, signed >>> 0);
  expect(wait()).toEqual([[IN, one]]);
  expect(wait(0)).toEqual([]);
});

test('what the system refuses comes as its error', () => {
  const [reader] = rig.pipe();
  epoll.ctl(ADD, reader, IN);
  const ctl = (operation: number, fd: number, events = IN) =>
    thrownBy(() => epoll.ctl(operation, fd, events));
  expect(ctl(ADD, reader)).toEqual(systemError('EEXIST', 'epoll_ctl'));
  epoll.ctl(DEL, reader);
  expect(ctl(DEL, reader)).toEqual(systemError('ENOENT', 'epoll_ctl'));
  expect(ctl(MOD, reader)).toEqual(systemError('ENOENT', 'epoll_ctl'));
  expect(ctl(ADD, epoll.fd)).toEqual(systemError('EINVAL', 'epoll_ctl'));
  expect(ctl(99, reader)).toEqual(systemError('EINVAL', 'epoll_ctl'));
  expect(ctl(ADD, 0x7fffffff)).toEqual(systemError('EBADF', 'epoll_ctl'));
  const exclusiveOneshot = (constant('EPOLLEXCLUSIVE') | constant('EPOLLONESHOT') | IN) >>> 0;
  expect(ctl(ADD, reader, exclusiveOneshot)).toEqual(systemError('EINVAL', 'epoll_ctl'));
  const file = openSync(__filename, 'r');
  expect(ctl(ADD, file)).toEqual(systemError('EPERM', 'epoll_ctl'));
  closeSync(file);
  expect(thrownBy(() => new Epoll(0x40))).toEqual(systemError('EINVAL', 'epoll_create1'));
});

test('the error of a ctl names the fd', () => {
  expect(() => epoll.ctl(ADD, 0x7fffffff, IN)).toThrow(expect.objectContaining({ fd: 0x7fffffff }) as Error);
});

test('T14 pwait2 waits in nanoseconds and is never early', () => {
  for (const timeoutNs of [1, 250_000, 999_999, 1_000_000, 3_000_001]) {
    const start = nowNs();
    expect(epoll.pwait2(out, timeoutNs)).toBe(0);
    expect(nowNs() - start).toBeGreaterThanOrEqual(timeoutNs);
  }
});

test('out may hold fewer events than are ready, never none', () => {
  for (let i = 0; i < 3; i++) epoll.ctl(ADD, rig.pipe()[1], OUT);
  expect(epoll.pwait2(new Uint32Array(6), 0)).toBe(2);
  expect(epoll.pwait2(new Uint32Array(8), 0)).toBe(2);
  for (const length of [0, 2]) {
    const tooSmall = new Uint32Array(length);
    expect(thrownBy(() => epoll.pwait2(tooSmall, 0))).toEqual(systemError('EINVAL', 'epoll_pwait2'));
  }
});

test('out may be part of a larger buffer, and nothing around it is touched', () => {
  const [, writer] = rig.pipe();
  epoll.ctl(ADD, writer, OUT);
  const all = new Uint32Array(9).fill(0xabababab);
  expect(epoll.pwait2(all.subarray(3, 6), 0)).toBe(1);
  expect([...all]).toEqual([
    ...Array<number>(3).fill(0xabababab),
    OUT,
    writer,
    0,
    ...Array<number>(3).fill(0xabababab),
  ]);
});

test('a detached out has no room', () => {
  const memory = new Uint32Array(30);
  structuredClone(memory.buffer, { transfer: [memory.buffer] });
  expect(thrownBy(() => epoll.pwait2(memory, 0))).toEqual(systemError('EINVAL', 'epoll_pwait2'));
});

test('the fd is readable while events wait, and nests in another', () => {
  const outer = new Epoll();
  outer.ctl(ADD, epoll.fd, IN);
  const [reader, writer] = rig.pipe();
  epoll.ctl(ADD, reader, IN);
  expect(outer.pwait2(out, 0)).toBe(0);
  send(writer);
  expect(outer.pwait2(out, 1e9)).toBe(1);
  outer.close();
});

test('CLOEXEC is the default, and can be left out', () => {
  expect(sys.fcntl(epoll.fd, constant('F_GETFD'))).toBe(constant('FD_CLOEXEC'));
  const other = new Epoll(0);
  expect(sys.fcntl(other.fd, constant('F_GETFD'))).toBe(0);
  other.close();
});

test('busy-poll parameters, where the kernel has them', () => {
  const params: EpollParams = { busyPollUsec: 50, busyPollBudget: 8, preferBusyPoll: true };
  try {
    epoll.setParams(params);
  } catch (error) {
    // Before Linux 6.9, or built without CONFIG_NET_RX_BUSY_POLL.
    const { code } = error as NodeJS.ErrnoException;
    expect(['ENOTTY', 'EINVAL', 'EOPNOTSUPP', 'ENOTSUP']).toContain(code);
    expect(thrownBy(() => epoll.getParams())).toMatchObject({ code });
    return;
  }
  expect(epoll.getParams()).toEqual(params);
  epoll.setParams({ busyPollUsec: 0, busyPollBudget: 0, preferBusyPoll: false });
  expect(epoll.getParams()).toEqual({ busyPollUsec: 0, busyPollBudget: 0, preferBusyPoll: false });
});

test('bad input', () => {
  const [reader] = rig.pipe();
  const text = '1' as unknown as number;
  expect(thrownBy(() => new Epoll(text))).toEqual(invalidType);
  expect(thrownBy(() => new Epoll(-(2 ** 31) - 1))).toEqual(outOfRange);
  expect(thrownBy(() => new Epoll(-1))).toEqual(systemError('EINVAL', 'epoll_create1'));
  expect(thrownBy(() => epoll.ctl(text, reader))).toEqual(invalidType);
  expect(thrownBy(() => epoll.ctl(ADD, text))).toEqual(invalidType);
  expect(thrownBy(() => epoll.ctl(ADD, -1))).toEqual(outOfRange);
  expect(thrownBy(() => epoll.ctl(ADD, reader, -(2 ** 31) - 1))).toEqual(outOfRange);
  expect(thrownBy(() => epoll.ctl(ADD, reader, 2 ** 32))).toEqual(outOfRange);
  expect(thrownBy(() => epoll.ctl(ADD, reader, IN, 2 ** 53))).toEqual(outOfRange);
  expect(thrownBy(() => epoll.ctl(ADD, reader, IN, 0.5))).toEqual(outOfRange);
  const wrongs: unknown[] = [
    undefined,
    [1, 2, 3],
    new Uint8Array(12),
    new Int32Array(3),
    new ArrayBuffer(12),
  ];
  for (const wrong of wrongs) {
    expect(thrownBy(() => epoll.pwait2(wrong as Uint32Array, 0))).toEqual(invalidType);
  }
  expect(thrownBy(() => epoll.pwait2(out, -2))).toEqual(outOfRange);
  expect(thrownBy(() => epoll.pwait2(out, 2 ** 53))).toEqual(outOfRange);
  expect(thrownBy(() => epoll.pwait2(out, text))).toEqual(invalidType);
  const params = { busyPollUsec: 1, busyPollBudget: 1, preferBusyPoll: false };
  expect(thrownBy(() => epoll.setParams(undefined as unknown as EpollParams))).toEqual(invalidType);
  expect(thrownBy(() => epoll.setParams({} as EpollParams))).toEqual(invalidType);
  expect(thrownBy(() => epoll.setParams({ ...params, busyPollUsec: -1 }))).toEqual(outOfRange);
  expect(thrownBy(() => epoll.setParams({ ...params, busyPollBudget: 65_536 }))).toEqual(outOfRange);
  const wrongPrefer = { ...params, preferBusyPoll: 1 as unknown as boolean };
  expect(thrownBy(() => epoll.setParams(wrongPrefer))).toEqual(invalidType);
});

test('after close: ERR_TRIPOLL_CLOSED; close twice, dispose', () => {
  const [reader] = rig.pipe();
  epoll.close();
  epoll.close();
  epoll[Symbol.dispose]();
  const params = { busyPollUsec: 1, busyPollBudget: 1, preferBusyPoll: false };
  expect(thrownBy(() => epoll.fd)).toEqual(closed);
  expect(thrownBy(() => epoll.ctl(ADD, reader, IN))).toEqual(closed);
  expect(thrownBy(() => epoll.pwait2(out, 0))).toEqual(closed);
  expect(thrownBy(() => epoll.setParams(params))).toEqual(closed);
  expect(thrownBy(() => epoll.getParams())).toEqual(closed);
});

test('a second close closes no stranger', () => {
  const number = epoll.fd;
  epoll.close();
  const [reader] = rig.pipe();
  if (reader !== number) rig.reuseNumber(number, reader);
  epoll.close();
  expect(sys.fcntl(number, constant('F_GETFD'))).toBeGreaterThanOrEqual(0);
});

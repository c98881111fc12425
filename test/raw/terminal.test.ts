// sys.ioctl, termios, pseudo terminals, dup, eventfd.
import { closeSync, constants as fsConstants, openSync } from 'node:fs';
import { sys, type Termios } from 'tripoll/raw';
import { capabilities } from 'tripoll';
import { minus, Rig } from '../poller/rig';
import { testIf } from '../support/applies';
import { systemBackend } from '../support/backends';
import { untilSync } from '../support/deadline';
import { invalidType, outOfRange, thrownBy, unsupported } from '../support/errors';
import { openedSince, openFds } from '../support/fds';
import { isWindows } from '../support/platform';

const c = sys.constants;
const testUnix = testIf(!isWindows, 'Windows has none of these calls');
const isLinux = capabilities.platform === 'linux';
const { FIONREAD = 0, TIOCGWINSZ = 0, TIOCSWINSZ = 0, TCSANOW = 0, VMIN = 0, VTIME = 0 } = c;
const {
  ICANON = 0,
  ECHO = 0,
  ISIG = 0,
  OPOST = 0,
  ICRNL = 0,
  CS8 = 0,
  CSIZE = 0,
  O_NOCTTY = 0,
  O_RDWR = 0,
} = c;

let before = new Map<number, string>();
let rig: Rig;

beforeEach(() => {
  before = openFds();
  rig = new Rig(() => {
    throw new Error('no poller here');
  });
});

afterEach(() => {
  rig.end();
  expect(openedSince(before)).toEqual([]);
});

/** A pseudo terminal: its master, and its other end. */
function openPty(): { master: number; slave: number; name: string } {
  const master = rig.own(sys.posix_openpt(O_RDWR | O_NOCTTY));
  expect(master).toBeGreaterThan(2);
  expect([sys.grantpt(master), sys.unlockpt(master)]).toEqual([0, 0]);
  const out: { name?: string } = {};
  expect(sys.ptsname_r(master, out)).toBe(0);
  const name = out.name ?? '';
  const slave = openSync(name, fsConstants.O_RDWR | O_NOCTTY | fsConstants.O_NONBLOCK);
  return { master, slave, name };
}

function withPty(run: (master: number, slave: number) => void): void {
  const { master, slave } = openPty();
  try {
    run(master, slave);
  } finally {
    closeSync(slave);
  }
}

function settingsOf(fd: number): Termios {
  const out: Partial<Termios> = {};
  expect(sys.tcgetattr(fd, out)).toBe(0);
  return out as Termios;
}

testIf(isWindows, 'it has these calls')('elsewhere they are refused by name', () => {
  const termios: Termios = {
    iflag: 0,
    oflag: 0,
    cflag: 0,
    lflag: 0,
    ispeed: 0,
    ospeed: 0,
    cc: new Uint8Array(0),
  };
  const calls: (() => unknown)[] = [
    () => sys.ioctl(1, 1),
    () => sys.ioctl(1, 1, new Uint8Array(8)),
    () => sys.tcgetattr(1, {}),
    () => sys.tcsetattr(1, 0, termios),
    () => sys.cfmakeraw(termios),
    () => sys.posix_openpt(0),
    () => sys.grantpt(1),
    () => sys.unlockpt(1),
    () => sys.ptsname_r(1, {}),
    () => sys.dup(1),
    () => sys.dup3(1, 2),
    () => sys.eventfd(0),
  ];
  for (const call of calls) expect(thrownBy(call)).toEqual(unsupported);
});

testUnix('a pseudo terminal carries bytes both ways, by line until it is raw', () => {
  withPty((master, slave) => {
    const termios = settingsOf(slave);
    expect(termios.lflag & (ICANON | ECHO | ISIG)).toBe(ICANON | ECHO | ISIG);
    sys.cfmakeraw(termios);
    expect(sys.tcsetattr(slave, TCSANOW, termios)).toBe(0);
    const raw = settingsOf(slave);
    expect(raw.lflag & (ICANON | ECHO | ISIG)).toBe(0);
    expect([raw.oflag & OPOST, raw.iflag & ICRNL, raw.cflag & CSIZE]).toEqual([0, 0, CS8]);
    expect([raw.cc[VMIN], raw.cc[VTIME]]).toEqual([1, 0]);
    const bytes = Uint8Array.of(13, 3, 255);
    const seen = new Uint8Array(8);
    expect(sys.write(master, bytes)).toBe(3);
    untilSync(() => sys.read(slave, seen) === 3, 'three bytes');
    expect([...seen.subarray(0, 3)]).toEqual([...bytes]);
  });
});

testUnix('T70 ioctl with bytes: the window size, what waits, and nothing beyond the buffer', () => {
  withPty((master, slave) => {
    const size = new Uint16Array([24, 80, 0, 0]);
    expect(sys.ioctl(master, TIOCSWINSZ, new Uint8Array(size.buffer))).toBe(0);
    const memory = new Uint8Array(16).fill(0xab);
    expect(sys.ioctl(slave, TIOCGWINSZ, memory.subarray(4, 12))).toBe(0);
    expect([...new Uint16Array(memory.slice(4, 12).buffer)]).toEqual([24, 80, 0, 0]);
    expect([...memory.subarray(0, 4), ...memory.subarray(12)]).toEqual(Array<number>(8).fill(0xab));
  });
  const [reader, writer] = rig.pipe();
  sys.write(writer, new Uint8Array(5));
  const count = new Int32Array(1);
  expect(sys.ioctl(reader, FIONREAD, new Uint8Array(count.buffer))).toBe(0);
  expect(count[0]).toBe(5);
  expect(sys.ioctl(reader, TIOCGWINSZ, new Uint8Array(8))).toBe(minus('ENOTTY'));
});

testIf(isLinux, 'elsewhere its number tells the size')(
  'T70 a request that tells no size writes past no buffer',
  () => {
    withPty((_master, slave) => {
      const memory = new Uint8Array(6).fill(0xab);
      expect(sys.ioctl(slave, TIOCGWINSZ, memory.subarray(0, 2))).toBe(0);
      expect([...memory.subarray(2)]).toEqual([0xab, 0xab, 0xab, 0xab]);
    });
  },
);

testUnix('T70 ioctl: a buffer shorter than the request says, an integer that could be an address', () => {
  const [reader] = rig.pipe();
  // _IOR('x', 1, 8 bytes), as Linux and as a BSD encodes it: the size is in the same bits.
  const reads8 = (isLinux ? 2 << 30 : 1 << 30) | (8 << 16) | (0x78 << 8) | 1;
  expect(thrownBy(() => sys.ioctl(reader, reads8, new Uint8Array(7)))).toEqual(outOfRange);
  expect(sys.ioctl(reader, reads8, new Uint8Array(8))).toBe(minus('ENOTTY'));
  expect(sys.ioctl(reader, reads8 >>> 0, new Uint8Array(8))).toBe(minus('ENOTTY'));
  expect(thrownBy(() => sys.ioctl(reader, FIONREAD, 65_536))).toEqual(outOfRange);
  expect(thrownBy(() => sys.ioctl(reader, FIONREAD, -1))).toEqual(outOfRange);
  expect(thrownBy(() => sys.ioctl(reader, FIONREAD, new Uint8Array(16_385)))).toEqual(outOfRange);
  expect(thrownBy(() => sys.ioctl(reader, FIONREAD, '4' as unknown as number))).toEqual(invalidType);
  expect(thrownBy(() => sys.ioctl(reader, 2 ** 32, 0))).toEqual(outOfRange);
  // It wants a pointer: no memory is there.
  for (const integer of [0, 1, 4096, 65_535])
    expect(sys.ioctl(reader, FIONREAD, integer)).toBe(minus('EFAULT'));
});

testUnix('speeds are in baud', () => {
  withPty((_master, slave) => {
    const termios = settingsOf(slave);
    for (const speed of [9600, 115_200, 230_400]) {
      expect(sys.tcsetattr(slave, TCSANOW, { ...termios, ispeed: speed, ospeed: speed })).toBe(0);
      expect(settingsOf(slave)).toMatchObject({ ispeed: speed, ospeed: speed });
    }
    const odd = sys.tcsetattr(slave, TCSANOW, { ...termios, ispeed: 12_345, ospeed: 12_345 });
    expect(odd).toBe(isLinux ? minus('EINVAL') : 0);
  });
});

testIf(isLinux, 'BOTHER is Linux’s')('T71 a speed without a name is told as 0, and stays', () => {
  withPty((_master, slave) => {
    // struct termios2, by TCGETS2 and TCSETS2 (asm-generic/ioctls.h): CBAUD is BOTHER, then both
    // speeds.
    const termios2 = new Uint8Array(44);
    const view = new DataView(termios2.buffer);
    expect(sys.ioctl(slave, 0x802c542a, termios2)).toBe(0);
    view.setUint32(8, (view.getUint32(8, true) & ~0x100f & ~0x100f0000) | 0x1000, true);
    view.setUint32(36, 12_345, true);
    view.setUint32(40, 12_345, true);
    expect(sys.ioctl(slave, 0x402c542b, termios2)).toBe(0);
    const termios = settingsOf(slave);
    expect(termios.ospeed).toBe(0);
    expect(sys.tcsetattr(slave, TCSANOW, { ...termios, lflag: termios.lflag & ~ECHO })).toBe(0);
    expect(sys.ioctl(slave, 0x802c542a, termios2)).toBe(0);
    expect(view.getUint32(40, true)).toBe(12_345);
  });
});

testUnix('termios: bad input, and what is no terminal', () => {
  withPty((_master, slave) => {
    const termios = settingsOf(slave);
    const set = (wrong: Partial<Termios>) =>
      thrownBy(() => sys.tcsetattr(slave, TCSANOW, { ...termios, ...wrong }));
    expect(set({ iflag: 2 ** 32 })).toEqual(outOfRange);
    expect(set({ cc: new Uint8Array(3) })).toEqual(outOfRange);
    expect(set({ cc: [1] as unknown as Uint8Array })).toEqual(invalidType);
    expect(set({ ospeed: -1 })).toEqual(outOfRange);
    expect(thrownBy(() => sys.tcsetattr(slave, -1, termios))).toEqual(outOfRange);
    expect(sys.tcsetattr(slave, 99, termios)).toBe(minus('EINVAL'));
    expect(thrownBy(() => sys.tcgetattr(slave, 1 as unknown as object))).toEqual(invalidType);
    const [reader] = rig.pipe();
    const out: Partial<Termios> = {};
    expect(sys.tcgetattr(reader, out)).toBe(minus('ENOTTY'));
    expect(out).toEqual({});
    expect(sys.tcsetattr(reader, TCSANOW, termios)).toBe(minus('ENOTTY'));
    expect(sys.ptsname_r(reader, {})).toBeLessThan(0);
    expect(sys.grantpt(reader)).toBeLessThan(0);
    expect(sys.unlockpt(reader)).toBeLessThan(0);
  });
});

testUnix('dup and dup3: another number for the same file', () => {
  const [reader, writer] = rig.pipe();
  const twin = rig.own(sys.dup(writer));
  expect(sys.fcntl(twin, c.F_GETFD)).toBe(0);
  const target = rig.own(sys.dup(reader));
  expect(sys.dup3(twin, target, c.O_CLOEXEC)).toBe(target);
  expect(sys.fcntl(target, c.F_GETFD)).toBe(c.FD_CLOEXEC);
  expect(sys.write(target, Uint8Array.of(7))).toBe(1);
  const byte = new Uint8Array(1);
  expect([sys.read(reader, byte), byte[0]]).toEqual([1, 7]);
  expect(sys.dup3(twin, twin)).toBe(minus('EINVAL'));
  expect(sys.dup(0x7fffffff)).toBe(minus('EBADF'));
  expect(sys.dup3(0x7fffffff, target)).toBe(minus('EBADF'));
  expect(thrownBy(() => sys.dup3(twin, -1))).toEqual(outOfRange);
});

testIf(systemBackend === 'epoll', 'it is Linux’s')('eventfd: a counter', () => {
  const { EFD_NONBLOCK = 0, EFD_CLOEXEC = 0, EFD_SEMAPHORE = 0 } = c;
  const fd = rig.own(sys.eventfd(3, EFD_NONBLOCK | EFD_CLOEXEC | EFD_SEMAPHORE));
  const word = new BigUint64Array(1);
  const bytes = new Uint8Array(word.buffer);
  for (let i = 0; i < 3; i++) expect([sys.read(fd, bytes), word[0]]).toEqual([8, 1n]);
  expect(sys.read(fd, bytes)).toBe(minus('EAGAIN'));
  expect(sys.eventfd(0, 0x40)).toBe(minus('EINVAL'));
  expect(thrownBy(() => sys.eventfd(-1))).toEqual(outOfRange);
});

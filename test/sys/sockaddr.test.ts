// Addresses as bytes and back, without a socket: where each field is, and what is no address.
import { native } from '#lib/binding/native';
import * as sockaddr from '#lib/sys/sockaddr';
import { describeIf } from '../support/applies.js';
import { invalidType, outOfRange, thrownBy } from '../support/errors.js';

const { AF_INET, AF_UNIX, SOCKADDR_FAMILY_OFFSET = 0, SOCKADDR_FAMILY_BYTES = 2 } = native.constants;
const { SUN_PATH_OFFSET = 2, SUN_PATH_BYTES = 108 } = native.constants;
const isLinux = process.platform === 'linux';

/** A number in the host's order, as so many bytes. */
function hostBytes(value: number, size: 1 | 2 | 4): number[] {
  const bytes = [...new Uint8Array(new Uint32Array([value]).buffer)];
  const isLittle = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
  return isLittle ? bytes.slice(0, size) : bytes.slice(4 - size);
}

/** A Unix address with these bytes behind its family. */
function unixBytes(name: Uint8Array, family = AF_UNIX): Uint8Array {
  const bytes = new Uint8Array(SUN_PATH_OFFSET + name.length);
  bytes.set(hostBytes(family, SOCKADDR_FAMILY_BYTES === 1 ? 1 : 2), SOCKADDR_FAMILY_OFFSET);
  bytes.set(name, SUN_PATH_OFFSET);
  return bytes;
}

/** The same bytes as a view into the middle of other memory. */
function within(bytes: Uint8Array): Uint8Array {
  const around = new Uint8Array(bytes.length + 16).fill(0xdb);
  around.set(bytes, 8);
  return around.subarray(8, 8 + bytes.length);
}

describe('Unix addresses', () => {
  test('a path ends with a NUL; what follows one is not its own', () => {
    const bytes = sockaddr.encodeUnixAddress('/tmp/a');
    expect(bytes).toEqual(unixBytes(Buffer.from('/tmp/a\0')));
    expect(sockaddr.decodeUnixAddress(within(bytes))).toBe('/tmp/a');
    expect(sockaddr.decodeUnixAddress(unixBytes(Buffer.from('/a\0rest\0')))).toBe('/a');
  });

  test('an abstract name ends where its length says, and may have NULs', () => {
    const bytes = sockaddr.encodeUnixAddress('\0a\0b');
    expect(bytes).toEqual(unixBytes(Buffer.from('\0a\0b')));
    expect(sockaddr.decodeUnixAddress(bytes)).toBe('\0a\0b');
    expect(sockaddr.encodeUnixAddress('\0')).toHaveLength(SUN_PATH_OFFSET + 1);
  });

  test('the longest name fits, and none that is longer', () => {
    const longest = 'x'.repeat(SUN_PATH_BYTES - 1);
    expect(sockaddr.decodeUnixAddress(sockaddr.encodeUnixAddress(longest))).toBe(longest);
    const abstract = `\0${longest}`;
    expect(sockaddr.decodeUnixAddress(sockaddr.encodeUnixAddress(abstract))).toBe(abstract);
    // The kernel gives a path back without its NUL, where there was no room for it.
    expect(sockaddr.decodeUnixAddress(unixBytes(Buffer.from(`${longest}y`)))).toBe(`${longest}y`);
    for (const name of [`${longest}x`, `${abstract}x`]) {
      const tooLong = { name: 'Error', code: 'ENAMETOOLONG', syscall: 'connect' };
      expect(thrownBy(() => sockaddr.encodeUnixAddress(name, 'connect'))).toMatchObject(tooLong);
      expect(() => sockaddr.encodeUnixAddress(name)).toThrow(name);
    }
    expect(thrownBy(() => sockaddr.encodeUnixAddress(`${longest}x`)).syscall).toBe('bind');
    expect(() => sockaddr.encodeUnixAddress(`${longest}x`)).toThrow(
      `(${SUN_PATH_BYTES} bytes, a socket's path has at most ${SUN_PATH_BYTES - 1})`,
    );
  });

  test('what is no name is refused', () => {
    for (const name of ['', new Uint8Array(0), '/a\0b', Buffer.from('a\0')])
      expect(thrownBy(() => sockaddr.encodeUnixAddress(name))).toEqual(outOfRange);
    for (const name of [undefined, null, 1, {}, [47]])
      expect(thrownBy(() => sockaddr.encodeUnixAddress(name))).toEqual(invalidType);
  });

  test('F14 a name that is no UTF-8 keeps its bytes, and a leading U+FEFF is a part of it', () => {
    const name = Buffer.from([0x2f, 0xff, 0xfe]);
    const bytes = sockaddr.encodeUnixAddress(name);
    expect(sockaddr.unixAddressBytes(within(bytes))).toEqual(name);
    expect(sockaddr.decodeUnixAddress(bytes)).toBe('/\ufffd\ufffd');
    const own = sockaddr.unixAddressBytes(bytes);
    bytes.fill(0);
    expect(own).toEqual(name);
    expect(sockaddr.decodeUnixAddress(sockaddr.encodeUnixAddress('\ufeffa'))).toBe('\ufeffa');
    expect([sockaddr.unixAddressText('\ufeffa'), sockaddr.unixAddressText(Buffer.from('\ufeffa'))]).toEqual([
      '\ufeffa',
      '\ufeffa',
    ]);
  });

  test('bytes that the caller may change are copied; text needs no copy', () => {
    const bytes = new Uint8Array([0x2f, 0x61]);
    const copy = sockaddr.copiedAddress(bytes);
    bytes.fill(0);
    expect(copy).toEqual(Buffer.from([0x2f, 0x61]));
    expect(sockaddr.copiedAddress('/a')).toBe('/a');
  });

  test('an unnamed socket’s has a family and no name', () => {
    const unnamed = unixBytes(new Uint8Array(0));
    expect([sockaddr.isUnixAddress(unnamed), sockaddr.decodeUnixAddress(unnamed)]).toEqual([true, '']);
    expect(sockaddr.unixAddressBytes(unnamed)).toHaveLength(0);
  });

  test('the family tells whether it is one', () => {
    expect(sockaddr.isUnixAddress(within(unixBytes(Buffer.from('/a\0'))))).toBe(true);
    expect(sockaddr.isUnixAddress(within(unixBytes(Buffer.from('/a\0'), AF_INET)))).toBe(false);
    for (let length = 0; length < SOCKADDR_FAMILY_OFFSET + SOCKADDR_FAMILY_BYTES; length++)
      expect(sockaddr.isUnixAddress(new Uint8Array(length).fill(AF_UNIX))).toBe(false);
    expect(sockaddr.isUnixAddress(sockaddr.NO_ADDRESS)).toBe(false);
  });
});

describe('internet addresses', () => {
  test.each([
    { address: '127.0.0.1', port: 80, family: 'IPv4' },
    { address: '2001:db8::1', port: 65_535, family: 'IPv6' },
    { address: 'fe80::1', port: 0, family: 'IPv6', scopeId: 3 },
  ] as const)('$address and its bytes', (address) => {
    const bytes = sockaddr.encodeInternetAddress(address);
    expect(bytes.length).toBeLessThan(sockaddr.MAX_ADDRESS_BYTES);
    expect(sockaddr.decodeInternetAddress(within(bytes))).toEqual(address);
  });

  test('another family’s is none', () => {
    expect(sockaddr.decodeInternetAddress(unixBytes(Buffer.from('/a\0')))).toBeUndefined();
    expect(sockaddr.decodeInternetAddress(sockaddr.NO_ADDRESS)).toBeUndefined();
  });
});

describe('a socket’s own', () => {
  test('of what is no socket it is undefined, without an error', () => {
    for (const fd of [-1, 0x7ffffff0]) {
      for (const side of ['local', 'remote'] as const) {
        expect(sockaddr.socketAddressBytes(fd, side)).toBeUndefined();
        expect(sockaddr.unixName(fd, side)).toBeUndefined();
        expect(sockaddr.unixNameAsBytes(fd, side)).toBeUndefined();
      }
    }
  });

  test('-1 is not asked about', () => {
    const { nameBytes } = native;
    native.nameBytes = () => {
      throw new Error('asked');
    };
    try {
      expect(sockaddr.socketAddressBytes(-1, 'local')).toBeUndefined();
      expect(() => sockaddr.socketAddressBytes(0, 'local')).toThrow('asked');
    } finally {
      native.nameBytes = nameBytes;
    }
  });

  test('its own name and its peer’s', () => {
    const { nameBytes } = native;
    native.nameBytes = (fd, side, out) => {
      const bytes = unixBytes(Buffer.from(`/${fd} ${side}\0`));
      out.set(bytes);
      return bytes.length;
    };
    try {
      expect([sockaddr.unixName(0, 'local'), sockaddr.unixName(7, 'remote')]).toEqual(['/0 0', '/7 1']);
      expect(String(sockaddr.unixNameAsBytes(7, 'remote'))).toBe('/7 1');
    } finally {
      native.nameBytes = nameBytes;
    }
  });
});

describeIf(isLinux, 'these families are Linux’s')('addresses of Linux', () => {
  const { AF_NETLINK = 16, AF_PACKET = 17, AF_VSOCK = 40, AF_CAN = 29 } = native.constants;
  /** Above 2^31: their fields have no sign. */
  const LARGE = 0xf1f2f3f4;

  test('netlink: family, padding, port, groups', () => {
    const bytes = sockaddr.encodeNetlinkAddress(LARGE, 0x80000001);
    expect([...bytes]).toEqual(
      [hostBytes(AF_NETLINK, 2), 0, 0, hostBytes(LARGE, 4), hostBytes(0x80000001, 4)].flat(),
    );
    expect(sockaddr.decodeNetlinkAddress(within(bytes))).toEqual({ portId: LARGE, groups: 0x80000001 });
  });

  test('packet: the protocol in network order, the index in the host’s', () => {
    const hardwareAddress = new Uint8Array([1, 2, 3, 4, 5, 6]);
    const bytes = sockaddr.encodePacketAddress(0x01020304, 0x0806, hardwareAddress);
    expect([...bytes]).toEqual(
      [hostBytes(AF_PACKET, 2), 8, 6, hostBytes(0x01020304, 4), 0, 0, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0].flat(),
    );
    bytes[10] = 4;
    const decoded = sockaddr.decodePacketAddress(within(bytes));
    expect(decoded).toEqual({ interfaceIndex: 0x01020304, protocol: 0x0806, packetType: 4, hardwareAddress });
    expect([...sockaddr.encodePacketAddress(1, 0x0003)]).toEqual(
      [hostBytes(AF_PACKET, 2), 0, 3, hostBytes(1, 4), Array<number>(12).fill(0)].flat(),
    );
  });

  test('vsock: the port before the machine', () => {
    expect([...sockaddr.encodeVsockAddress(LARGE, 1024)]).toEqual(
      [hostBytes(AF_VSOCK, 2), 0, 0, hostBytes(1024, 4), hostBytes(LARGE, 4), 0, 0, 0, 0].flat(),
    );
  });

  test('CAN: the interface', () => {
    expect([...sockaddr.encodeCanAddress(7)]).toEqual(
      [hostBytes(AF_CAN, 2), 0, 0, hostBytes(7, 4), Array<number>(16).fill(0)].flat(),
    );
  });
});

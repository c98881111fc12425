// The types of `sys.constants` and `sys.errno` against what the addon exports:
// tools/constant-names.cjs reads the tables of all platforms, this one's are here.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { capabilities } from 'tripoll';
import { native } from '#lib/binding/native';
import { type ConstantName, type ErrnoName, sys } from 'tripoll/raw';
import { isWindows } from '../support/platform';

/** Name -> whether the platform has it whatever its headers are. */
type Names = ReadonlyMap<string, boolean>;
type Platforms = Record<'linux' | 'bsd' | 'windows', Names>;

const tool = createRequire(__filename)(join(__dirname, '../../../tools/constant-names.cjs')) as {
  constantNames(): Platforms;
  errnoNames(): Platforms;
};

function ofThisPlatform(platforms: Platforms): Names {
  if (isWindows) return platforms.windows;
  return capabilities.platform === 'linux' ? platforms.linux : platforms.bsd;
}

function expectSame(exported: object, typed: Names): void {
  const names = Object.keys(exported);
  expect(names.filter((name) => !typed.has(name))).toEqual([]);
  const certain = [...typed].filter(([, always]) => always).map(([name]) => name);
  expect(certain.filter((name) => !names.includes(name))).toEqual([]);
  expect(Object.values(exported).every((value) => typeof value === 'number')).toBe(true);
}

test('every constant that native code exports is in the type, and every certain one is exported', () => {
  const { constantNames } = tool;
  // Over the shim the addon of Linux has kqueue's too.
  const typed = new Map(ofThisPlatform(constantNames()));
  if (native.kqueueConstants !== undefined) for (const [name] of constantNames().bsd) typed.set(name, false);
  expect(typed.size).toBeGreaterThan(50);
  expectSame(sys.constants, typed);
});

test('every errno likewise', () => {
  const typed = ofThisPlatform(tool.errnoNames());
  expect(typed.size).toBeGreaterThan(50);
  expectSame(sys.errno, typed);
});

test('as types: numbers that every platform has, others perhaps undefined, a misspelt name is no name', () => {
  const { constants: c, errno } = sys;
  const again: number = -errno.EAGAIN;
  const type: number = c.SOCK_STREAM | c.SOCK_NONBLOCK;
  const epollin: number | undefined = c.EPOLLIN;
  const names: [ConstantName, ErrnoName] = ['EVFILT_READ', 'EAGAIN'];
  // @ts-expect-error -- undefined where there is no epoll
  const events: number = c.EPOLLIN;
  // @ts-expect-error -- misspelt: it would be 0 after `|`
  const misspelt = (c.SOCK_NONBLOK ?? 0) as number;
  // @ts-expect-error -- misspelt
  const wrongErrno = (errno.EAGIAN ?? 0) as number;
  expect([again, type]).not.toContain(0);
  expect([epollin, misspelt, wrongErrno]).toEqual([events, 0, 0]);
  expect(names).toHaveLength(2);
});

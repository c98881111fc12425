// Addresses as text and as parts, before any system is asked.
import { isIpLiteral, parseAddress, splitHostPort, toSocketAddress } from '#lib/sys/address';
import { native } from '#lib/binding/native';
import { invalidType, outOfRange, thrownBy } from '../support/errors.js';

const { AF_INET, AF_INET6 } = native.constants;

describe('host and port', () => {
  test.each([
    ['127.0.0.1:80', '127.0.0.1', 80],
    ['name.test:0', 'name.test', 0],
    ['[::1]:65535', '::1', 65_535],
    ['[fe80::1%eth0]:00080', 'fe80::1%eth0', 80],
    [{ host: '::1', port: 1 }, '::1', 1],
    [{ address: '10.0.0.1', port: 2, family: 'IPv4' }, '10.0.0.1', 2],
    [{ address: 'fe80::1', port: 3, family: 'IPv6', scopeId: 4 }, 'fe80::1%4', 3],
    [{ address: 'fe80::1', port: 3, family: 'IPv6', scopeId: 0 }, 'fe80::1', 3],
    [{ host: '::1', address: '::2', scopeId: 4, port: 5 }, '::1', 5],
  ])('%j', (input, host, port) => {
    expect(splitHostPort(input)).toEqual({ host, port });
  });

  test.each([
    '',
    ':80',
    '127.0.0.1',
    '127.0.0.1:',
    '127.0.0.1:x',
    '127.0.0.1:-1',
    '127.0.0.1:1.5',
    '127.0.0.1:65536',
    '127.0.0.1:000080',
    '127.0.0.1:80 ',
    'x[::1]:80',
    '::1:80',
    '[]:80',
    '[::1:80',
    '::1]:80',
    '[::1]80',
    '[a[b]:80x',
    { host: '', port: 1 },
    { host: '::1', port: -1 },
    { host: '::1', port: 65_536 },
    { host: '::1', port: 1.5 },
    { host: '::1', port: NaN },
  ])('%j is out of range', (input) => {
    expect(thrownBy(() => splitHostPort(input))).toEqual(outOfRange);
  });

  test.each([
    undefined,
    null,
    80,
    {},
    { port: 1 },
    { host: '::1' },
    { host: '::1', port: '1' },
    { host: 1, port: 1 },
    { host: null, port: 1 },
    { address: 1, port: 1, scopeId: 2 },
    { address: null, port: 1, scopeId: 2 },
  ])('%j is of a wrong type', (input) => {
    expect(thrownBy(() => splitHostPort(input))).toEqual(invalidType);
  });

  test('0 and 65535 are ports', () => {
    for (const port of [0, 65_535]) expect(splitHostPort({ host: 'a', port })).toEqual({ host: 'a', port });
  });
});

describe('IP literals', () => {
  test('of both families, with a zone as a field of its own', () => {
    expect(parseAddress('127.0.0.1:80')).toEqual({
      familyNumber: AF_INET,
      host: '127.0.0.1',
      port: 80,
      scopeId: 0,
    });
    expect(parseAddress('[::1]:80')).toEqual({ familyNumber: AF_INET6, host: '::1', port: 80, scopeId: 0 });
    expect(parseAddress('[fe80::1%12]:80')).toEqual({
      familyNumber: AF_INET6,
      host: 'fe80::1',
      port: 80,
      scopeId: 12,
    });
  });

  test('names, IPv4 with a zone, and a zone alone are none', () => {
    for (const host of ['name.test', '127.0.0.1%1', '%1', '1.2.3', '::g'])
      expect(thrownBy(() => parseAddress({ host, port: 1 }))).toEqual(outOfRange);
  });

  test('whether a host is one, whatever its zone', () => {
    const literals = ['127.0.0.1', '::1', 'fe80::1%eth0', 'fe80::1%1%2'];
    expect(literals.map((host) => isIpLiteral(host))).toEqual([true, true, true, true]);
    expect(['localhost', '', '%1', 'a%1'].map((host) => isIpLiteral(host))).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });
});

test('what native code fills in: a scope only where there is one', () => {
  const address = 'fe80::1';
  expect(toSocketAddress({ family: AF_INET6, address, port: 1, scopeId: 0 })).toStrictEqual({
    address,
    port: 1,
    family: 'IPv6',
  });
  expect(toSocketAddress({ family: AF_INET6, address, port: 1, scopeId: 2 })).toStrictEqual({
    address,
    port: 1,
    family: 'IPv6',
    scopeId: 2,
  });
  expect(toSocketAddress({ family: AF_INET, address: '10.0.0.1', port: 1, scopeId: 0 })).toStrictEqual({
    address: '10.0.0.1',
    port: 1,
    family: 'IPv4',
  });
});

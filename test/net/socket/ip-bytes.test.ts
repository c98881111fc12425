import net from 'node:net';
import { ipFromBytes, ipToBytes } from 'tripoll/net';
import { invalidType, outOfRange, thrownBy } from '../../support/errors.js';

const texts: [string, number[]][] = [
  ['127.0.0.1', [127, 0, 0, 1]],
  ['255.254.253.0', [255, 254, 253, 0]],
  ['::', Array<number>(16).fill(0)],
  ['::1', [...Array<number>(15).fill(0), 1]],
  ['fe80::', [0xfe, 0x80, ...Array<number>(14).fill(0)]],
  ['2001:db8::a:0:0:b', [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0x0a, 0, 0, 0, 0, 0, 0x0b]],
  ['1:2:3:4:5:6:7:8', [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8]],
  ['::ffff:10.1.2.3', [...Array<number>(10).fill(0), 255, 255, 10, 1, 2, 3]],
];

test.each(texts)('%s has its bytes, and they its text', (text, bytes) => {
  expect([...ipToBytes(text)]).toEqual(bytes);
  expect(ipFromBytes(Uint8Array.from(bytes))).toBe(text);
});

test('all forms of an address have the same bytes', () => {
  expect(ipToBytes('2001:0DB8:0:0:0:0:0:1')).toEqual(ipToBytes('2001:db8::1'));
  expect(ipToBytes('fe80::1%2')).toEqual(ipToBytes('fe80::1'));
  expect(ipToBytes('::1.2.3.4')).toEqual(ipToBytes('::102:304'));
});

test('any bytes come back through their text', () => {
  let state = 1;
  for (let i = 0; i < 2000; i++) {
    // Many zeros: the runs are what is hard.
    const bytes = Uint8Array.from({ length: i % 3 === 0 ? 4 : 16 }, () => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return (state >>> 16) % 3 === 0 ? (state >>> 20) & 0xff : 0;
    });
    const text = ipFromBytes(bytes);
    expect(net.isIP(text)).toBe(bytes.length === 4 ? 4 : 6);
    expect(ipToBytes(text)).toEqual(bytes);
  }
});

test('what is no address is refused', () => {
  for (const wrong of ['', 'localhost', '1.2.3', '1.2.3.4%1', ':::', '1:2:3:4:5:6:7', '127.0.0.1\0']) {
    expect(thrownBy(() => ipToBytes(wrong))).toEqual(outOfRange);
  }
  expect(thrownBy(() => ipToBytes(7 as never))).toEqual(invalidType);
  expect(thrownBy(() => ipFromBytes(new Uint8Array(5)))).toEqual(outOfRange);
  expect(thrownBy(() => ipFromBytes('x' as never))).toEqual(invalidType);
});

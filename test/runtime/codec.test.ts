import { Codec } from '#lib/runtime/codec';
import { Random, testSeed } from '../support/random.js';

const BYTES = 2000;
const memory = new SharedArrayBuffer(BYTES + 16);
const codec = new Codec(memory);

function roundTrip(value: unknown, end = BYTES): unknown {
  const length = codec.write(value, 8, end);
  return length === -1 ? 'does not fit' : codec.read(8);
}

const plain: readonly unknown[] = [
  ...[undefined, null, true, false, 0, -0, 1, 255, 256, -1, 2 ** 31 - 1, -(2 ** 31), 2 ** 31, 2 ** 53, 0.1],
  ...[NaN, Infinity, -Infinity, Number.MIN_VALUE, '', 'a', 'é', '\u{1d54f}', '\ud800', '\0', 'x'.repeat(300)],
  ...['日本', [], [[]], [undefined], {}, { a: undefined }, { 日本: { '': [1, 'two', { three: 3 }] } }],
];

test.each(plain.map((value) => ({ value })))('$value comes back', ({ value }) => {
  const back = roundTrip(value);
  expect(back).toEqual(value);
  expect(Object.is(back, value) || typeof value === 'object').toBe(true);
});

test('an object keeps the order of its names', () => {
  const value = { z: 1, a: 2, m: undefined };
  expect(Object.keys(roundTrip(value) as object)).toEqual(['z', 'a', 'm']);
});

test('objects that begin alike, in turn', () => {
  const values = [{ a: 1 }, { a: 2, b: 3 }, { a: 4, c: 5 }, { b: 6, a: 7 }, {}, { a: { a: 8, b: 9 }, b: 10 }];
  for (let round = 0; round < 3; round++) {
    for (const value of values) {
      expect(roundTrip(value)).toEqual(value);
      expect(Object.keys(roundTrip(value) as object)).toEqual(Object.keys(value));
    }
  }
});

test('more shapes than are known at a time', () => {
  for (let round = 0; round < 2; round++)
    for (let i = 0; i < 600; i++) expect(roundTrip({ [`name${i}`]: i })).toEqual({ [`name${i}`]: i });
});

test('what an object inherits is not its own', () => {
  expect(roundTrip({ own: 1, inherited: 2 })).toEqual({ own: 1, inherited: 2 });
  const polluted = Object.prototype as { inherited?: number };
  polluted.inherited = 3;
  try {
    for (const value of [{ own: 1 }, {}, Object.assign(Object.create(null) as object, { own: 1 })])
      expect(Object.keys(roundTrip(value) as object)).toEqual(Object.keys(value));
  } finally {
    delete polluted.inherited;
  }
});

test('a getter that takes away, or adds, what comes later', () => {
  const make = (change: (value: Record<string, unknown>) => void) => {
    const value: Record<string, unknown> = { a: 1, b: 2, c: 3 };
    const a = { enumerable: true, configurable: true, get: () => (change(value), 1) };
    return Object.defineProperty(value, 'a', a);
  };
  expect(roundTrip({ a: 1, b: 2, c: 3 })).toEqual({ a: 1, b: 2, c: 3 });
  expect(roundTrip(make((value) => delete value['c']))).toEqual({ a: 1, b: 2 });
  expect(roundTrip(make((value) => (value['d'] = 4)))).toMatchObject({ a: 1, b: 2, c: 3 });
});

test('a getter that writes', () => {
  const value = { a: 1, b: 2 };
  Object.defineProperty(value, 'a', {
    enumerable: true,
    get: () => codec.write({ a: [3], c: 4 }, 1000, BYTES),
  });
  expect(roundTrip(value)).toEqual({ a: 32, b: 2 });
});

test('what it has no form for is left to a port', () => {
  const circle: unknown[] = [];
  circle.push(circle);
  const named = Object.assign([1], { name: 1 });
  const holed = [1, , 2]; // eslint-disable-line no-sparse-arrays
  const namedHole = Object.assign([...holed], { name: 1 });
  delete namedHole[1]; // eslint-disable-line @typescript-eslint/no-array-delete
  const others = [1n, Symbol('s'), () => 1, new Date(), new Map(), new Uint8Array(1), /x/, new Error('e')];
  const more = [
    circle,
    named,
    namedHole,
    holed,
    JSON.parse('{"__proto__":1}') as object,
    new URLSearchParams(),
  ];
  for (const value of [...others, ...more, ...others.map((each) => ({ each }))])
    expect(codec.write(value, 8, BYTES)).toBe(-1);
  expect(({} as { polluted?: unknown }).polluted).toBe(undefined);
});

test('what does not fit is not written past the end', () => {
  const bytes = new Uint8Array(memory);
  const values = [...plain, { a: 'text', b: [1, 2.5, 300], c: 'é' }];
  for (const value of values) {
    const length = codec.write(value, 8, BYTES);
    for (let end = 8; end < 8 + length; end++) {
      bytes.fill(0xaa);
      expect(codec.write(value, 8, end)).toBe(-1);
      expect(bytes.subarray(end).every((byte) => byte === 0xaa)).toBe(true);
    }
  }
});

test('ten thousand random values come back', () => {
  const random = new Random(testSeed());
  const make = (depth: number): unknown => {
    const kind = random.below(depth > 3 ? 4 : 6);
    if (kind < 3) return random.pick(plain.slice(0, 25));
    if (kind === 3)
      return String.fromCharCode(...Array.from({ length: random.below(40) }, () => random.below(400)));
    const values = Array.from({ length: random.below(5) }, () => make(depth + 1));
    return kind === 4 ? values : Object.fromEntries(values.map((value) => [`name${random.below(9)}`, value]));
  };
  for (let i = 0; i < 10_000; i++) {
    const value = make(0);
    const back = roundTrip(value);
    if (back !== 'does not fit') expect(back).toEqual(value);
  }
});

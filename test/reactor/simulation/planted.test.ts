// Does the simulation find anything? Mistakes that are easy to make are made here on purpose.
import { WriteQueue } from '#lib/net/stream/write-queue';
import { drained } from '#lib/net/stream/state';
import { StreamCore } from '#lib/net/stream/stream-core';
import { TcpConnection } from '#lib/net/tcp/tcp-connection';
import { Registration } from '#lib/reactor/registration';
import { Slab } from '#lib/reactor/slab';
import { findFailure, makeProgram } from './program.js';
import { swapSystemCalls } from './system-calls.js';

const STEPS = 1000;
const MAX_PROGRAMS = 60;
const DEADLINE_MS = 120_000;
const SHRINK_RUNS = 30;

let restore: () => void;
beforeAll(() => {
  restore = swapSystemCalls();
});
afterAll(() => restore());

type Method = (this: never, ...args: never[]) => unknown;

/** Replaces a method for a test; `make` gets the right one. */
function plant(prototype: object, name: string, make: (right: Method) => Method): () => void {
  const methods = prototype as Record<string, Method>;
  const right = methods[name];
  if (right === undefined) throw new Error(`no method ${name}`);
  methods[name] = make(right);
  return () => void (methods[name] = right);
}

const mistakes: [name: string, rule: RegExp, plantIt: () => () => void][] = [
  [
    'a short read is taken for the last, although the peer has hung up (T17)',
    /^stuck-read/,
    () =>
      plant(
        StreamCore.prototype,
        'readShort',
        () =>
          function (this: { state: number }): boolean {
            this.state = drained(this.state);
            return true;
          },
      ),
  ],
  [
    'pause() forgets that there is something to read',
    /^stuck-read/,
    () =>
      plant(
        StreamCore.prototype,
        'setStopped',
        (right) =>
          function (this: { state: number }, how: unknown, stop: boolean): void {
            right.call(this as never, how as never, stop as never);
            if (stop) this.state = drained(this.state);
          },
      ),
  ],
  [
    'what the budget left over is not read (T58)',
    /^stuck-read/,
    () => plant(StreamCore.prototype, 'readLater', () => () => {}),
  ],
  [
    'the rest of a partial write is dropped',
    /^bytes/,
    () =>
      plant(
        WriteQueue.prototype,
        'append',
        (right) =>
          function (this: unknown, bytes: Uint8Array): void {
            right.call(this as never, (bytes.length > 500 ? bytes.subarray(1) : bytes) as never);
          },
      ),
  ],
  [
    'close is told twice',
    /^(after-close|close)/,
    () =>
      plant(
        TcpConnection.prototype,
        'onDestroyed',
        (right) =>
          function (this: unknown, error: unknown): void {
            right.call(this as never, error as never);
            right.call(this as never, error as never);
          },
      ),
  ],
  [
    'again() does nothing (T12)',
    /^raw-event-lost/,
    () => plant(Registration.prototype, 'again', () => () => {}),
  ],
  [
    'a slot keeps its generation (T01)',
    /^stale/,
    () =>
      plant(
        Slab.prototype,
        'reserve',
        (right) =>
          function (this: unknown): unknown {
            return { ...(right.call(this as never) as object), generation: 0 };
          },
      ),
  ],
];

describe('the simulation finds, names and shrinks', () => {
  test.each(mistakes)(
    '%s',
    async (_name, rule, plantIt) => {
      const takeOut = plantIt();
      try {
        let found: string | null = null;
        for (let seed = 1; found === null && seed <= MAX_PROGRAMS; seed++) {
          found = await findFailure(makeProgram(seed, STEPS), SHRINK_RUNS);
        }
        expect(found).toMatch(rule);
        expect(found).toMatch(/\nseed \d+, found after \d+ steps/);
        const [, steps] = /shrunk to (\d+) steps/.exec(found ?? '') ?? [];
        expect(Number(steps)).toBeLessThan(STEPS);
      } finally {
        takeOut();
      }
    },
    DEADLINE_MS,
  );
});

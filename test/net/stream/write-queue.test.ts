// The write queue by itself, against a socket that takes as many bytes as it is told to: the bytes come out in order
// whatever was put in how, and each promise is settled once, with what is true.
import { native } from '#lib/binding/native';
import { WriteQueue, type WriteOperation } from '#lib/net/stream/write-queue';
import { Random } from '../../support/random.js';
import { pattern } from '../tools.js';

const EAGAIN = -native.errnos['EAGAIN'];
const EMSGSIZE = -native.errnos['EMSGSIZE'];
const EINTR = -native.errnos['EINTR'];
const FD = 1234;

/** What the socket took, and what it says next: how many bytes it takes, or an errno. */
let taken: Buffer[];
let answers: number[];
let calls: { buffers: number; bytes: number }[];

function take(buffers: readonly Uint8Array[]): number {
  const bytes = Buffer.concat(buffers);
  calls.push({ buffers: buffers.length, bytes: bytes.length });
  const answer = answers.shift() ?? bytes.length;
  if (answer < 0) return answer;
  const count = Math.min(answer, bytes.length);
  taken.push(Buffer.from(bytes.subarray(0, count)));
  return count;
}

const { send, sendv } = native;
beforeEach(() => {
  taken = [];
  answers = [];
  calls = [];
  native.send = (_fd, bytes, offset, length) => take([bytes.subarray(offset, offset + length)]);
  native.sendv = (_fd, buffers, firstOffset) => {
    const [first, ...others] = buffers;
    return take([first!.subarray(firstOffset), ...others]);
  };
});
afterEach(() => {
  native.send = send;
  native.sendv = sendv;
});

interface Told extends WriteOperation {
  told: (number | string)[];
}

function operation(all = true): Told {
  const told: (number | string)[] = [];
  return {
    all,
    written: 0,
    told,
    resolve: (written) => void told.push(written),
    reject: (error) => void told.push((error as NodeJS.ErrnoException).code ?? 'error'),
  };
}

const bytesOf = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text));
const sent = (): string => Buffer.concat(taken).toString();

function drain(queue: WriteQueue): void {
  while (!queue.isEmpty) queue.writeOnce(FD);
}

describe('one write', () => {
  test('takes all that waits, 64 buffers at most', () => {
    const queue = new WriteQueue();
    for (let i = 0; i < 70; i++) queue.push(bytesOf('x'), null);
    expect(queue.writeOnce(FD)).toBe(64);
    expect(queue.writeOnce(FD)).toBe(6);
    expect(calls).toEqual([
      { buffers: 64, bytes: 64 },
      { buffers: 6, bytes: 6 },
    ]);
    expect([queue.isEmpty, queue.queuedBytes]).toEqual([true, 0]);
  });

  test('of an empty queue is nothing', () => {
    expect(new WriteQueue().writeOnce(FD)).toBe(0);
    expect(calls).toEqual([]);
  });

  test('that fails takes nothing, and is tried again', () => {
    const queue = new WriteQueue();
    queue.push(bytesOf('abc'), null);
    answers = [EAGAIN, EINTR];
    expect(queue.writeOnce(FD)).toBe(EAGAIN);
    // The caller goes on: nothing was said about the socket.
    expect(queue.writeOnce(FD)).toBe(0);
    expect(queue.queuedBytes).toBe(3);
    drain(queue);
    expect(sent()).toBe('abc');
  });

  test('goes on in the middle of a buffer, and of a vector', () => {
    const queue = new WriteQueue();
    const [first, second] = [operation(), operation()];
    queue.push(bytesOf('abc'), first);
    queue.pushAll([bytesOf('de'), bytesOf(''), bytesOf('fg')], 1, second);
    answers = [2, 2, 1];
    queue.writeOnce(FD);
    expect([first.told, queue.queuedBytes]).toEqual([[], 4]);
    queue.writeOnce(FD);
    expect([first.told, second.told, queue.queuedBytes]).toEqual([[3], [], 2]);
    drain(queue);
    expect([second.told, sent(), queue.queuedBytes]).toEqual([[3], 'abcefg', 0]);
  });

  test('settles one that asked for as much as the socket takes, which takes its rest back', () => {
    const queue = new WriteQueue();
    const some = operation(false);
    queue.push(bytesOf('abcdef'), some);
    queue.push(bytesOf('X'), null);
    answers = [2];
    queue.writeOnce(FD);
    expect([some.told, queue.queuedBytes]).toEqual([[2], 1]);
    drain(queue);
    expect(sent()).toBe('abX');
  });

  test('of a message is one message, and refuses that one alone', () => {
    const queue = new WriteQueue(true);
    const [long, short] = [operation(), operation()];
    queue.push(bytesOf('too long'), long);
    queue.push(bytesOf('ok'), short);
    answers = [EMSGSIZE];
    expect(queue.writeOnce(FD)).toBe(0);
    drain(queue);
    expect([long.told, short.told, sent(), queue.queuedBytes]).toEqual([['EMSGSIZE'], [2], 'ok', 0]);
    expect(calls).toHaveLength(2);
  });

  test('T07 of a buffer that was transferred away throws, when those before it are out', () => {
    const queue = new WriteQueue();
    const detached = new Uint8Array(8);
    queue.push(bytesOf('ab'), null);
    queue.push(detached, operation());
    structuredClone(detached.buffer, { transfer: [detached.buffer] });
    expect(queue.writeOnce(FD)).toBe(2);
    expect(() => queue.writeOnce(FD)).toThrow(RangeError);
  });
});

describe('sources', () => {
  test('write by themselves, in their place', () => {
    const queue = new WriteQueue();
    const own = operation();
    queue.push(bytesOf('a'), null);
    const pieces = ['12', '34'];
    queue.pushSource(
      () => {
        const piece = pieces.shift() ?? '';
        taken.push(Buffer.from(piece));
        return piece.length;
      },
      4,
      own,
      1,
    );
    queue.push(bytesOf('z'), null);
    expect(queue.queuedBytes).toBe(3);
    drain(queue);
    expect([own.told, sent(), queue.queuedBytes]).toEqual([[4], 'a1234z', 0]);
  });

  test('one that throws at once rejects its own promise alone; one that throws half-way ends it all', () => {
    const queue = new WriteQueue();
    const own = operation();
    let says = 0;
    const source = (): number => {
      if (says-- <= 0) throw Object.assign(new Error('the file'), { code: 'EIO' });
      return 2;
    };
    queue.pushSource(source, 10, own, 0);
    expect(queue.writeOnce(FD)).toBe(0);
    expect([own.told, queue.isEmpty]).toEqual([['EIO'], true]);
    says = 1;
    queue.pushSource(source, 10, operation(), 0);
    expect(queue.writeOnce(FD)).toBe(2);
    expect(() => queue.writeOnce(FD)).toThrow('the file');
  });
});

describe('F20 copies', () => {
  test('are the caller’s no more, and share blocks', () => {
    const queue = new WriteQueue();
    const chunk = bytesOf('abc');
    queue.append(chunk);
    chunk.fill(0);
    queue.append(bytesOf('def'));
    expect(queue.queuedBytes).toBe(6);
    drain(queue);
    expect(sent()).toBe('abcdef');
    expect(calls).toEqual([{ buffers: 1, bytes: 6 }]);
  });

  test('go on in a block of which a part is out', () => {
    const queue = new WriteQueue();
    queue.append(bytesOf('abc'));
    answers = [2];
    queue.writeOnce(FD);
    queue.append(bytesOf('d'));
    expect(queue.queuedBytes).toBe(2);
    drain(queue);
    expect([sent(), calls.length]).toEqual(['abcd', 2]);
  });

  test('never go behind what was put in by reference', () => {
    const queue = new WriteQueue();
    queue.append(bytesOf('a'));
    queue.push(bytesOf('B'), null);
    queue.append(bytesOf('c'));
    drain(queue);
    expect([sent(), calls]).toEqual(['aBc', [{ buffers: 3, bytes: 3 }]]);
  });

  test('begin a block of their own when all is out', () => {
    const queue = new WriteQueue();
    queue.append(bytesOf('a'));
    drain(queue);
    queue.append(bytesOf('b'));
    expect(queue.queuedBytes).toBe(1);
    drain(queue);
    expect(sent()).toBe('ab');
  });

  test('of messages stay apart', () => {
    const queue = new WriteQueue(true);
    queue.append(bytesOf('one'));
    queue.append(bytesOf('two'));
    drain(queue);
    expect(calls).toEqual([
      { buffers: 1, bytes: 3 },
      { buffers: 1, bytes: 3 },
    ]);
  });

  test('take few entries: what an entry takes is counted from the 65th on', () => {
    const queue = new WriteQueue();
    for (let i = 0; i < 100_000; i++) queue.append(bytesOf('x'));
    expect(queue.overheadBytes).toBe(0);
    const kept = new WriteQueue();
    for (let i = 0; i < 64; i++) kept.push(bytesOf('x'), null);
    expect(kept.overheadBytes).toBe(0);
    for (let i = 0; i < 10; i++) kept.push(bytesOf('x'), null);
    expect(kept.overheadBytes).toBe(4000);
    drain(kept);
    expect(kept.overheadBytes).toBe(0);
  });
});

describe('taken back', () => {
  test('all of an operation, unless a byte of it is out', () => {
    const queue = new WriteQueue();
    const [before, vector, after] = [operation(), operation(), operation()];
    queue.push(bytesOf('ab'), before);
    queue.pushAll([bytesOf('c'), bytesOf('d')], 0, vector);
    queue.push(bytesOf('e'), after);
    answers = [1];
    queue.writeOnce(FD);
    expect(queue.remove(before)).toBe(false);
    expect(queue.remove(vector)).toBe(true);
    expect(queue.remove(vector)).toBe(false);
    expect(queue.queuedBytes).toBe(2);
    drain(queue);
    expect([sent(), before.told, vector.told, after.told]).toEqual(['abe', [2], [], [1]]);
  });

  test('a vector of which the first buffer is out cannot be', () => {
    const queue = new WriteQueue();
    const vector = operation();
    queue.pushAll([bytesOf('ab'), bytesOf('cd')], 0, vector);
    answers = [3];
    queue.writeOnce(FD);
    expect(queue.remove(vector)).toBe(false);
    drain(queue);
    expect([sent(), vector.told]).toEqual(['abcd', [4]]);
  });

  test('clear rejects whoever waits, and forgets', () => {
    const queue = new WriteQueue();
    const [one, other] = [operation(), operation()];
    queue.push(bytesOf('ab'), one);
    queue.append(bytesOf('c'));
    queue.push(bytesOf('d'), other);
    queue.clear(Object.assign(new Error('over'), { code: 'OVER' }));
    expect([one.told, other.told, queue.isEmpty, queue.queuedBytes]).toEqual([['OVER'], ['OVER'], true, 0]);
    expect(queue.writeOnce(FD)).toBe(0);
  });
});

test('whatever is put in, and however the socket takes it, the bytes come out in order', () => {
  const random = new Random(7);
  for (let run = 0; run < 200; run++) {
    const queue = new WriteQueue();
    const expected: Buffer[] = [];
    const operations: { own: Told; length: number }[] = [];
    taken = [];
    const put = (): void => {
      const bytes = pattern(random.below(random.below(4) === 0 ? 3000 : 20), random.below(1e6));
      if (random.below(3) > 0) queue.append(bytes);
      else {
        const own = operation();
        operations.push({ own, length: bytes.length });
        const cut = random.below(bytes.length + 1);
        if (random.below(2) === 0) queue.push(bytes, own);
        else queue.pushAll([bytes.subarray(0, cut), bytes.subarray(cut)], 0, own);
      }
      expected.push(bytes);
    };
    for (let step = 0; step < 40; step++) {
      put();
      answers = [random.below(4) === 0 ? EAGAIN : random.below(900)];
      if (random.below(3) === 0 && !queue.isEmpty) queue.writeOnce(FD);
      const out = Buffer.concat(taken).length;
      expect(queue.queuedBytes).toBe(Buffer.concat(expected).length - out);
    }
    answers = [];
    drain(queue);
    expect(Buffer.concat(taken).equals(Buffer.concat(expected))).toBe(true);
    expect(operations.map(({ own }) => own.told)).toEqual(operations.map(({ length }) => [length]));
    expect([queue.queuedBytes, queue.overheadBytes]).toEqual([0, 0]);
  }
});

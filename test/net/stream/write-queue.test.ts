// The write queue by itself, against a socket that takes as many bytes as it is told to: the bytes
// come out in order whatever was put in how, and each promise is settled once, with what is true.
import { native } from '#lib/binding/native';
import type { QueuedFds } from '#lib/net/message/outgoing-fds';
import { WriteQueue, type WriteOperation } from '#lib/net/stream/write-queue';
import { testIf } from '../../support/applies.js';
import { Random } from '../../support/random.js';
import { pattern } from '../tools.js';

const EAGAIN = -native.errnos['EAGAIN'];
const EMSGSIZE = -native.errnos['EMSGSIZE'];
const EINTR = -native.errnos['EINTR'];
const EPIPE = -native.errnos['EPIPE'];
/** Undefined on a system that sends no fds. */
const { ETOOMANYREFS } = native.errnos;
const FD = 1234;

/** What the socket took, and what it says next: how many bytes it takes, or an errno. */
let taken: Buffer[];
let answers: number[];
let calls: { buffers: number; bytes: number; fds?: number }[];

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
const { sendMessage } = native as Partial<typeof native>;
beforeEach(() => {
  taken = [];
  answers = [];
  calls = [];
  native.send = (_fd, bytes, offset, length) => take([bytes.subarray(offset, offset + length)]);
  native.sendv = (_fd, buffers, firstOffset) => {
    const [first, ...others] = buffers;
    return take([first!.subarray(firstOffset), ...others]);
  };
  native.sendMessage = (_fd, bytes, offset, length, words) => {
    const result = take([bytes.subarray(offset, offset + length)]);
    calls.at(-1)!.fds = words.length;
    return result;
  };
});
afterEach(() => {
  native.send = send;
  native.sendv = sendv;
  // Jest's files share the addon, and what it has is asked of it.
  if (sendMessage === undefined) Reflect.deleteProperty(native, 'sendMessage');
  else native.sendMessage = sendMessage;
  jest.restoreAllMocks();
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
  for (let i = 0; i < 1000 && !queue.isEmpty; i++) queue.writeOnce(FD);
  expect(queue.isEmpty).toBe(true);
}

/** fds that go with a write, and how often they were closed. */
function someFds(): QueuedFds & { closes: number } {
  const fds: QueuedFds & { closes: number } = {
    words: new Uint8Array(4),
    closes: 0,
    close: () => {
      fds.closes++;
    },
  };
  return fds;
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

  test('of a refused errno is the stream’s error, without a promise, half-way, or of another kind', () => {
    const queue = new WriteQueue();
    const own = operation();
    queue.push(bytesOf('nobody waits'), null);
    queue.push(bytesOf('abc'), own);
    answers = [EMSGSIZE];
    expect(queue.writeOnce(FD)).toBe(EMSGSIZE);
    answers = [13, EMSGSIZE];
    queue.writeOnce(FD);
    expect(queue.writeOnce(FD)).toBe(EMSGSIZE);
    expect([queue.queuedBytes, own.told]).toEqual([2, []]);
    drain(queue);
    const other = operation();
    queue.push(bytesOf('abc'), other);
    answers = [EPIPE];
    expect(queue.writeOnce(FD)).toBe(EPIPE);
    expect([queue.queuedBytes, other.told]).toEqual([3, []]);
  });

  test('settles one that asked for as much as the socket takes not before a byte of it is out', () => {
    const queue = new WriteQueue();
    const [all, some] = [operation(), operation(false)];
    queue.push(bytesOf('abc'), all);
    queue.push(bytesOf('def'), some);
    answers = [2, 1, 2];
    queue.writeOnce(FD);
    expect([all.written, all.told, some.told]).toEqual([2, [], []]);
    queue.writeOnce(FD);
    expect([all.told, some.told]).toEqual([[3], []]);
    queue.writeOnce(FD);
    expect([some.told, queue.isEmpty, queue.queuedBytes]).toEqual([[2], true, 0]);
    expect(sent()).toBe('abcde');
  });

  test('of no bytes is done when the socket has taken it, and settles with 0', () => {
    const queue = new WriteQueue();
    const [empty, behind] = [operation(), operation()];
    queue.push(bytesOf(''), empty);
    answers = [EAGAIN];
    expect(queue.writeOnce(FD)).toBe(EAGAIN);
    expect(empty.told).toEqual([]);
    expect([queue.writeOnce(FD), queue.isEmpty, empty.told]).toEqual([0, true, [0]]);
    queue.push(bytesOf('a'), behind);
    drain(queue);
    expect([empty.told, behind.told, sent()]).toEqual([[0], [1], 'a']);
  });

  test('T07 of a buffer that was transferred away sends nothing, also not of those behind it', () => {
    const queue = new WriteQueue();
    const detached = new Uint8Array(8);
    queue.push(detached, operation());
    queue.push(bytesOf('behind'), null);
    structuredClone(detached.buffer, { transfer: [detached.buffer] });
    expect(() => queue.writeOnce(FD)).toThrow(RangeError);
    expect(calls).toEqual([]);
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

  test('are asked for what is left, and may end before', () => {
    const queue = new WriteQueue();
    const own = operation();
    const asked: number[] = [];
    const says = [2, EAGAIN, 3, 0];
    const source = (fd: number, written: number): number => {
      expect(fd).toBe(FD);
      asked.push(written);
      return says.shift()!;
    };
    queue.pushSource(source, 10, own, 7);
    queue.push(bytesOf('z'), null);
    expect([queue.writeOnce(FD), own.written, queue.queuedBytes]).toEqual([2, 2, 8]);
    expect([queue.writeOnce(FD), own.written, own.told]).toEqual([EAGAIN, 2, []]);
    expect([queue.writeOnce(FD), queue.writeOnce(FD)]).toEqual([3, 0]);
    expect([asked, own.told, own.written, queue.queuedBytes]).toEqual([[0, 2, 2, 5], [5], 5, 1]);
    drain(queue);
    expect(sent()).toBe('z');
  });

  test('need no promise, and no byte', () => {
    const queue = new WriteQueue();
    queue.pushSource(() => 3, 3, null, 0);
    expect([queue.writeOnce(FD), queue.isEmpty]).toEqual([3, true]);
    queue.pushSource(() => 0, 0, null, 5);
    expect([queue.writeOnce(FD), queue.isEmpty, queue.queuedBytes]).toEqual([0, true, 0]);
    const source = (): number => {
      throw new Error('the file');
    };
    queue.pushSource(source, 3, null, 0);
    expect([queue.writeOnce(FD), queue.isEmpty]).toEqual([0, true]);
  });

  test('of no byte are asked too, and not counted as done with what is before them', () => {
    const queue = new WriteQueue();
    const own = operation();
    let asked = 0;
    queue.push(bytesOf('a'), null);
    queue.pushSource(() => asked++, 0, own, 5);
    expect([queue.writeOnce(FD), own.told, asked]).toEqual([1, [], 0]);
    drain(queue);
    expect([own.told, asked, queue.queuedBytes]).toEqual([[0], 1, 0]);
  });

  test('are no place for copies', () => {
    const queue = new WriteQueue();
    queue.pushSource(() => 5, 5, null, 5);
    queue.append(bytesOf('ab'));
    expect(queue.queuedBytes).toBe(7);
    drain(queue);
    expect(sent()).toBe('ab');
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

describe('T46 fds', () => {
  test('go with the first byte of their own, in a call of its own, and are closed then', () => {
    const queue = new WriteQueue();
    const fds = someFds();
    const own = operation();
    queue.push(bytesOf('ab'), null);
    queue.push(bytesOf('CDE'), own, fds);
    queue.push(bytesOf('f'), null);
    answers = [2, EAGAIN, 0, 1];
    queue.writeOnce(FD);
    expect([queue.writeOnce(FD), queue.writeOnce(FD)]).toEqual([EAGAIN, 0]);
    expect([fds.closes, queue.queuedBytes]).toEqual([0, 4]);
    expect(queue.writeOnce(FD)).toBe(1);
    expect([fds.closes, own.told, queue.queuedBytes]).toEqual([1, [], 3]);
    drain(queue);
    expect([fds.closes, own.told, sent()]).toEqual([1, [3], 'abCDEf']);
    expect(calls).toEqual([
      { buffers: 1, bytes: 2 },
      ...Array<object>(3).fill({ buffers: 1, bytes: 3, fds: 4 }),
      { buffers: 2, bytes: 3 },
    ]);
  });

  testIf(ETOOMANYREFS !== undefined, 'the system has no such errno')(
    'that are too many on their way reject their write alone, and are closed',
    () => {
      const queue = new WriteQueue();
      const fds = someFds();
      const own = operation();
      queue.push(bytesOf('ab'), own, fds);
      queue.push(bytesOf('c'), null);
      answers = [-ETOOMANYREFS!];
      expect(queue.writeOnce(FD)).toBe(0);
      expect([own.told, fds.closes, queue.queuedBytes]).toEqual([['ETOOMANYREFS'], 1, 1]);
      drain(queue);
      expect(sent()).toBe('c');
    },
  );

  test('are closed when their write is taken back, or all are', () => {
    const queue = new WriteQueue();
    const own = operation();
    const [mine, others] = [someFds(), someFds()];
    queue.push(bytesOf('a'), own, mine);
    queue.push(bytesOf('b'), null, others);
    expect(queue.remove(own)).toBe(true);
    expect([mine.closes, others.closes]).toEqual([1, 0]);
    queue.clear(new Error('over'));
    expect([mine.closes, others.closes]).toEqual([1, 1]);
  });

  test('T07 of a buffer that was transferred away are not sent', () => {
    const queue = new WriteQueue();
    const [fds, detached] = [someFds(), new Uint8Array(8)];
    queue.push(detached, null, fds);
    structuredClone(detached.buffer, { transfer: [detached.buffer] });
    expect(() => queue.writeOnce(FD)).toThrow(RangeError);
    expect([calls, fds.closes]).toEqual([[], 0]);
  });
});

describe('F20 copies', () => {
  test('take blocks as large as what waits before them, from 512 bytes to 64 KiB', () => {
    const allocate = jest.spyOn(Buffer, 'allocUnsafeSlow');
    const queue = new WriteQueue();
    for (let i = 0; i < 300_000; i += 100) queue.append(new Uint8Array(100));
    const sizes = allocate.mock.calls.map(([size]) => size);
    expect([sizes[0], Math.min(...sizes), Math.max(...sizes)]).toEqual([512, 512, 65_536]);
    // Each is as large as all before it together.
    expect(sizes.slice(0, 9)).toEqual([512, 512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536]);
    expect(new Set(sizes.slice(9))).toEqual(new Set([65_536]));
    queue.append(new Uint8Array(100_000));
    drain(queue);
    expect(Buffer.concat(taken)).toHaveLength(400_000);
  });

  test('of a message take what it has', () => {
    const allocate = jest.spyOn(Buffer, 'allocUnsafeSlow');
    const queue = new WriteQueue(true);
    queue.append(bytesOf('one'));
    queue.append(bytesOf('three'));
    expect(allocate.mock.calls).toEqual([[3], [5]]);
    drain(queue);
    expect(calls.map(({ bytes }) => bytes)).toEqual([3, 5]);
  });

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
    for (let i = 0; i < 2000; i++) queue.append(bytesOf('x'));
    expect(queue.overheadBytes).toBe(0);
    const kept = new WriteQueue();
    for (let i = 0; i < 64; i++) kept.push(bytesOf('x'), null);
    expect(kept.overheadBytes).toBe(0);
    for (let i = 0; i < 10; i++) kept.push(bytesOf('x'), null);
    expect(kept.overheadBytes).toBe(4000);
    answers = [5];
    kept.writeOnce(FD);
    expect(kept.overheadBytes).toBe(2000);
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
    answers = [1, 2];
    queue.writeOnce(FD);
    expect(queue.remove(vector)).toBe(false);
    queue.writeOnce(FD);
    expect(queue.remove(vector)).toBe(false);
    drain(queue);
    expect([sent(), vector.told]).toEqual(['abcd', [4]]);
  });

  test('what is out already does not come again, nor hear of the end', () => {
    for (const end of ['remove', 'clear'] as const) {
      const queue = new WriteQueue();
      taken = [];
      const all = ['a', 'b', 'c', 'd', 'e'].map((text) => {
        const own = operation();
        queue.push(bytesOf(text), own);
        return own;
      });
      answers = [1];
      queue.writeOnce(FD);
      expect([queue.remove(all[0]!), sent()]).toEqual([false, 'a']);
      if (end === 'remove') expect(queue.remove(all[4]!)).toBe(true);
      else queue.clear(Object.assign(new Error('over'), { code: 'OVER' }));
      drain(queue);
      expect([sent(), all[0]!.told]).toEqual([end === 'remove' ? 'abcd' : 'a', [1]]);
      expect(queue.queuedBytes).toBe(0);
    }
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
  for (let run = 0; run < 50; run++) {
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

// The queue of sends by itself, over a socket whose destinations have as much room as a test says:
// order, the bound, and what is left behind by whatever ends a send.
import { Interest } from 'tripoll';
import type { CancelOptions } from '#lib/reactor/cancellation';
import type { AsyncFd, FdCall } from '#lib/net/fd/async-fd';
import { SendQueue } from '#lib/net/message/send-queue';
import { within as withinMs } from '../../support/deadline.js';
import { errno } from '../../reactor/fake-poller.js';
import { fakeRig } from '../../reactor/fake-reactor.js';
import { failureOf } from '../tools.js';

const EAGAIN = errno('EAGAIN');
const FD = 1234;

/** Nothing here waits for a system. */
const within = <T>(promise: Promise<T>, what: string): Promise<T> => withinMs(promise, what, 1000);

/** What it is rejected with. */
const rejection = (promise: Promise<unknown>) =>
  within(
    promise.then(() => null, failureOf),
    'rejection',
  );

/** The socket's AsyncFd: a call waits until the test says that the socket is writable. */
class FakeFd {
  readonly fd = FD;
  readonly rig = fakeRig();
  readonly reactor = this.rig.reactor;
  /** How often somebody has begun to wait. */
  waits = 0;
  #waiting: { call: FdCall; resolve(result: number): void; reject(error: unknown): void } | null = null;

  io(interest: number, call: FdCall, syscall: string): Promise<number> {
    this.waits++;
    expect([interest, syscall]).toEqual([Interest.WRITABLE, 'sendmsg']);
    return new Promise((resolve, reject) => {
      this.#waiting = { call, resolve, reject };
    });
  }

  /** What the queue answers to a socket that has room. */
  async writable(): Promise<number> {
    const { call, resolve } = this.#waiting!;
    const result = call(FD);
    if (result >= 0) {
      this.#waiting = null;
      resolve(result);
      await Promise.resolve();
      await Promise.resolve();
    }
    return result;
  }

  fail(error: Error): void {
    this.#waiting!.reject(error);
    this.#waiting = null;
  }
}

interface Bench {
  readonly io: FakeFd;
  readonly queue: SendQueue;
  /** What went out, and what was tried. */
  readonly sent: string[];
  readonly tried: string[];
  /** Messages for which there is room, by destination. */
  readonly room: Map<string, number>;
  /** A send of a message whose name begins with its destination: 'a1' goes to 'a'. */
  send(name: string, isPolled?: boolean, options?: CancelOptions): Promise<number>;
}

function bench(): Bench {
  const io = new FakeFd();
  const queue = new SendQueue(io as unknown as AsyncFd);
  const [sent, tried] = [[] as string[], [] as string[]];
  const room = new Map<string, number>();
  const send: Bench['send'] = (name, isPolled = false, options = {}) => {
    const destination = name.charAt(0);
    const call = (fd: number): number => {
      expect(fd).toBe(FD);
      tried.push(name);
      const free = room.get(destination) ?? 0;
      if (free === 0) return EAGAIN;
      room.set(destination, free - 1);
      sent.push(name);
      return name.length;
    };
    const sending = queue.wait(call, destination, isPolled, options);
    // Some tests leave it alone.
    sending.catch(() => undefined);
    return sending;
  };
  return { io, queue, sent, tried, room, send };
}

/** The time goes on by `ms`, and a turn runs. */
function pass(io: FakeFd, ms: number): void {
  io.rig.clock.advance(ms);
  io.reactor.turn();
}

describe('order', () => {
  test('one destination’s sends go in the order of their calls; a full one holds up no other', async () => {
    const { io, sent, tried, room, send } = bench();
    const all = ['a1', 'a2', 'b1', 'a3', 'b2'].map((name) => send(name));
    room.set('b', 2);
    expect(await io.writable()).toBe(EAGAIN);
    expect([sent, tried]).toEqual([
      ['b1', 'b2'],
      ['a1', 'b1', 'b2'],
    ]);
    room.set('a', 2);
    expect(await io.writable()).toBe(EAGAIN);
    room.set('a', 9);
    expect(await io.writable()).toBe(0);
    expect(sent).toEqual(['b1', 'b2', 'a1', 'a2', 'a3']);
    expect(await within(Promise.all(all), 'the sends')).toEqual([2, 2, 2, 2, 2]);
  });

  test('whether somebody waits for a destination', async () => {
    const { io, queue, room, send } = bench();
    expect(queue.isAwaited('a')).toBe(false);
    void send('a1');
    expect([queue.isAwaited('a'), queue.isAwaited('b')]).toEqual([true, false]);
    room.set('a', 1);
    await io.writable();
    expect(queue.isAwaited('a')).toBe(false);
  });

  test('a message of no bytes is sent as any other', async () => {
    const { io, queue } = bench();
    const send = queue.wait(() => 0, 'a', false, {});
    expect(await io.writable()).toBe(0);
    expect(await within(send, 'the send')).toBe(0);
  });

  test('EINTR is no answer: it is tried again', async () => {
    const { io, queue } = bench();
    const answers = [errno('EINTR'), 3];
    const send = queue.wait(() => answers.shift()!, 'a', false, {});
    expect(await io.writable()).toBe(EAGAIN);
    expect(await io.writable()).toBe(0);
    expect(await within(send, 'the send')).toBe(3);
  });
});

describe('who waits for the socket', () => {
  test('is one call for all of them, and another for those that come later', async () => {
    const { io, room, send } = bench();
    const first = [send('a1'), send('b1')];
    expect(io.waits).toBe(1);
    room.set('a', 9).set('b', 9);
    expect(await io.writable()).toBe(0);
    await within(Promise.all(first), 'the first sends');
    const later = send('a2');
    expect(io.waits).toBe(2);
    expect(await io.writable()).toBe(0);
    await within(later, 'the later send');
  });

  test('takes no unit that a turn has not left: it is called again, and nothing is lost', async () => {
    const { io, sent, room, send } = bench();
    const both = [send('a1'), send('a2')];
    room.set('a', 9);
    io.reactor.registry.budget = 2;
    expect(await io.writable()).toBe(errno('EINTR'));
    expect(sent).toEqual(['a1']);
    io.reactor.registry.budget = 100;
    expect(await io.writable()).toBe(0);
    expect(await within(Promise.all(both), 'the sends')).toEqual([2, 2]);
  });

  test('pays for the bytes that go out', async () => {
    const { io, queue } = bench();
    const send = queue.wait(() => 1 << 20, 'a', false, {});
    const before = io.reactor.registry.budget;
    await io.writable();
    await within(send, 'the send');
    expect(before - io.reactor.registry.budget).toBe(1 + (1 << 20) / 8192);
  });

  test('ends without a word when the socket closes: `close` tells', async () => {
    const { io, queue, send } = bench();
    const refused = rejection(send('a1'));
    io.fail(new Error('closed'));
    queue.close(Object.assign(new Error('over'), { code: 'OVER' }));
    expect(await refused).toMatchObject({ code: 'OVER' });
  });
});

describe('destinations that tell nothing of their room', () => {
  test('are tried every 5 ms by one timer, which keeps no process alive, until none waits', async () => {
    const { io, sent, tried, room, send } = bench();
    const both = [send('a1', true), send('b1', true)];
    expect([io.waits, io.reactor.inspect().timers, io.reactor.inspect().refs]).toEqual([0, 1, 0]);
    pass(io, 4);
    expect(tried).toEqual([]);
    pass(io, 1);
    expect(tried).toEqual(['a1', 'b1']);
    room.set('b', 1);
    pass(io, 5);
    expect([sent, io.reactor.inspect().timers]).toEqual([['b1'], 1]);
    room.set('a', 1);
    pass(io, 5);
    expect([sent, io.reactor.inspect().timers]).toEqual([['b1', 'a1'], 0]);
    expect(await within(Promise.all(both), 'the sends')).toEqual([2, 2]);
    void send('a2', true);
    expect(io.reactor.inspect().timers).toBe(1);
  });

  test('are not tried by an event, nor the others by the timer', async () => {
    const { io, tried, room, send } = bench();
    const both = [send('a1', true), send('b1')];
    room.set('a', 1).set('b', 1);
    expect(await io.writable()).toBe(0);
    expect(tried).toEqual(['b1']);
    void send('b2');
    pass(io, 5);
    expect(tried).toEqual(['b1', 'a1']);
    await within(Promise.all(both), 'the sends');
  });
});

describe('a send that ends otherwise', () => {
  test('by an error of the system: its own alone', async () => {
    const { io, queue, room, send } = bench();
    const refused = rejection(queue.wait(() => errno('ECONNREFUSED'), 'a', false, {}));
    const behind = send('a1');
    room.set('a', 1);
    expect(await io.writable()).toBe(0);
    expect(await refused).toMatchObject({ code: 'ECONNREFUSED' });
    expect(await within(behind, 'the one behind')).toBe(2);
  });

  test('by what its call throws, as of a detached buffer: its own alone', async () => {
    const { io, queue, room, send } = bench();
    const call = (): number => {
      throw Object.assign(new Error('detached'), { code: 'DETACHED' });
    };
    const refused = rejection(queue.wait(call, 'a', false, {}));
    const behind = send('a1');
    room.set('a', 1);
    expect(await io.writable()).toBe(0);
    expect(await refused).toMatchObject({ code: 'DETACHED' });
    expect(await within(behind, 'the one behind')).toBe(2);
    expect(queue.isAwaited('a')).toBe(false);
  });

  test('by its signal or its time: it is not sent, and holds nobody up', async () => {
    const { io, queue, sent, tried, room, send } = bench();
    const abort = new AbortController();
    const aborted = rejection(send('a1', false, { signal: abort.signal }));
    const late = rejection(send('a2', false, { timeoutMs: 10 }));
    const behind = send('a3');
    abort.abort();
    pass(io, 10);
    expect(await aborted).toMatchObject({ code: 'ABORT_ERR' });
    expect(await late).toMatchObject({ code: 'ERR_TRIPOLL_TIMEOUT' });
    room.set('a', 9);
    expect(await io.writable()).toBe(0);
    expect([sent, tried]).toEqual([['a3'], ['a3']]);
    await within(behind, 'the one behind');
    expect(queue.isAwaited('a')).toBe(false);
  });

  test('by its signal while another is tried: it is not tried any more', async () => {
    const { io, queue, tried, room, send } = bench();
    const abort = new AbortController();
    const first = queue.wait(
      () => {
        abort.abort();
        return 1;
      },
      'a',
      false,
      {},
    );
    const aborted = rejection(send('b1', false, { signal: abort.signal }));
    const last = send('b2');
    room.set('b', 9);
    expect(await io.writable()).toBe(0);
    expect(await aborted).toMatchObject({ code: 'ABORT_ERR' });
    await within(Promise.all([first, last]), 'the others');
    expect(tried).toEqual(['b2']);
  });

  test('the last of those that are polled takes the timer with it', async () => {
    const { io, queue, send } = bench();
    const abort = new AbortController();
    const aborted = rejection(send('a1', true, { signal: abort.signal }));
    void rejection(send('b1'));
    expect(io.reactor.inspect().timers).toBe(1);
    abort.abort();
    await aborted;
    expect(io.reactor.inspect().timers).toBe(0);
    const refused = rejection(send('a2', true));
    expect(io.reactor.inspect().timers).toBe(1);
    queue.close(Object.assign(new Error('over'), { code: 'OVER' }));
    expect(io.reactor.inspect().timers).toBe(0);
    expect(await refused).toMatchObject({ code: 'OVER' });
  });

  test('close rejects all that wait, and none is tried afterwards', async () => {
    const { io, queue, tried, send } = bench();
    const both = [rejection(send('a1')), rejection(send('b1', true))];
    queue.close(Object.assign(new Error('over'), { code: 'OVER' }));
    for (const refused of both) expect(await refused).toMatchObject({ code: 'OVER' });
    expect([queue.isAwaited('a'), queue.isAwaited('b')]).toEqual([false, false]);
    await io.writable();
    pass(io, 50);
    expect(tried).toEqual([]);
  });
});

test('1024 may wait; one more is refused, until one has gone', async () => {
  const { io, sent, room, send } = bench();
  const first = send('a0');
  for (let i = 1; i < 1024; i++) void send(`a${i}`);
  await expect(send('b1')).rejects.toMatchObject({ code: 'ERR_TRIPOLL_BUSY' });
  room.set('a', 1).set('b', 1);
  expect(await io.writable()).toBe(EAGAIN);
  await within(first, 'the first');
  const another = send('b2');
  expect(await io.writable()).toBe(EAGAIN);
  await within(another, 'one that came after');
  expect(sent).toEqual(['a0', 'b2']);
});

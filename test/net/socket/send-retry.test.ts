import { Readiness } from 'tripoll';
import { native } from '#lib/binding/native';
import { SendQueue } from '#lib/net/message/send-queue';
import { MAX_REFUSALS, RETRY_MS, SendRetry } from '#lib/net/socket/send-retry';
import { fakeRig, type FakeRig } from '../../reactor/fake-reactor.js';

const { ENOBUFS, EAGAIN, EINTR, EPERM } = native.errnos;

function pass({ clock, reactor }: FakeRig, ms: number): void {
  clock.advance(ms);
  reactor.turn();
}

function retryOf(rig: FakeRig, onReady = (): void => {}) {
  const told: unknown[] = [];
  const sender = {
    onReady(readiness: number): void {
      told.push(readiness);
      onReady();
    },
    onError: (error: unknown) => void told.push(error),
  };
  return { retry: new SendRetry(rig.reactor, sender), told };
}

describe('T62 ENOBUFS', () => {
  test('its sender is told once that it may try, 5 ms later, whoever tries meanwhile', () => {
    const rig = fakeRig();
    const { retry, told } = retryOf(rig);
    expect(retry.isWaiting).toBe(false);
    for (let i = 0; i < 3; i++) expect(retry.goesLater(-ENOBUFS)).toBe(true);
    expect([retry.isWaiting, rig.reactor.inspect().timers, rig.reactor.inspect().refs]).toEqual([true, 1, 0]);
    pass(rig, RETRY_MS - 1);
    expect(told).toEqual([]);
    pass(rig, 2);
    expect(told).toEqual([Readiness.WRITABLE]);
    expect(retry.isWaiting).toBe(false);
    pass(rig, 100);
    expect(told.length).toBe(1);
  });

  test('EAGAIN and EINTR mean later without it, other errors do not, nor does a success', () => {
    const rig = fakeRig();
    const { retry } = retryOf(rig);
    expect([-EAGAIN, -EINTR, -EPERM, 0, 7].map((said) => retry.goesLater(said))).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
    expect(rig.reactor.inspect().timers).toBe(0);
  });

  test('it is given up after ten seconds of tries, and waited for again when something has gone', () => {
    const rig = fakeRig();
    const answers: boolean[] = [];
    const { retry } = retryOf(rig, () => void answers.push(retry.goesLater(-ENOBUFS)));
    expect(retry.goesLater(-ENOBUFS)).toBe(true);
    for (let i = 0; i < MAX_REFUSALS; i++) pass(rig, RETRY_MS + 1);
    expect(answers.length).toBe(MAX_REFUSALS);
    expect(answers.indexOf(false)).toBe(MAX_REFUSALS - 1);
    expect([retry.goesLater(-ENOBUFS), retry.isWaiting]).toEqual([false, false]);
    retry.reset();
    expect([retry.goesLater(-ENOBUFS), retry.isWaiting]).toEqual([true, true]);
  });

  test('what its sender throws is its own error, and a cancel leaves no timer', () => {
    const rig = fakeRig();
    const mistake = new Error('a mistake');
    const { retry, told } = retryOf(rig, () => {
      throw mistake;
    });
    retry.goesLater(-ENOBUFS);
    pass(rig, RETRY_MS + 1);
    expect(told).toEqual([Readiness.WRITABLE, mistake]);
    retry.goesLater(-ENOBUFS);
    retry.cancel();
    expect(rig.reactor.inspect().timers).toBe(0);
  });

  test('a message that waits in a queue is given up after as many tries', async () => {
    const rig = fakeRig();
    let tries = 0;
    const io = { reactor: rig.reactor, fd: 5 } as unknown as ConstructorParameters<typeof SendQueue>[0];
    const refused = (): number => {
      tries++;
      return -ENOBUFS;
    };
    const outcome = new SendQueue(io).wait(refused, 'there', true, {}).catch((error: unknown) => error);
    for (let i = 0; i < MAX_REFUSALS + 10; i++) pass(rig, RETRY_MS + 1);
    expect(await outcome).toMatchObject({ code: 'ENOBUFS', syscall: 'sendmsg' });
    expect([tries, rig.reactor.inspect().timers]).toEqual([MAX_REFUSALS + 1, 0]);
  });
});

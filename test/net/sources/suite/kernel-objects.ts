import { EventFd, TimerFd } from 'tripoll/net';
import { sys } from 'tripoll/raw';
import { describeLinuxFds } from '../../../support/applies.js';
import { within } from '../../../support/deadline.js';
import { thrownBy } from '../../../support/errors.js';
import { rejection, type Context } from '../../tools.js';

export function describeKernelObjects(context: Context): void {
  describeLinuxFds('eventfd', () => {
    test('counts, and is taken whole', async () => {
      const counter = context.own(new EventFd({ reactor: context.reactor, initial: 2 }));
      expect(await within(counter.take(), 'take')).toBe(2n);
      const waiting = counter.take();
      await counter.add(3);
      expect(await within(waiting, 'take')).toBe(3n);
      await counter.add(2n ** 63n);
      expect(await within(counter.take(), 'take')).toBe(2n ** 63n);
      expect(await rejection(counter.take({ timeoutMs: 1 }))).toMatchObject({ code: 'ERR_TRIPOLL_TIMEOUT' });
    });

    test('a full counter makes add wait', async () => {
      const counter = context.own(new EventFd({ reactor: context.reactor }));
      await counter.add(2n ** 64n - 2n);
      const waiting = counter.add(1);
      expect(await rejection(counter.add(1, { timeoutMs: 1 }))).toMatchObject({
        code: 'ERR_TRIPOLL_TIMEOUT',
      });
      expect(await within(counter.take(), 'take')).toBe(2n ** 64n - 2n);
      await within(waiting, 'add');
      expect(await within(counter.take(), 'take')).toBe(1n);
    });

    test('a semaphore gives one each', async () => {
      const counter = context.own(new EventFd({ reactor: context.reactor, semaphore: true, initial: 2 }));
      expect([await counter.take(), await counter.take()]).toEqual([1n, 1n]);
      expect(await rejection(counter.take({ timeoutMs: 1 }))).toMatchObject({ code: 'ERR_TRIPOLL_TIMEOUT' });
      expect(await rejection(counter.add(-1))).toMatchObject({ name: 'RangeError' });
    });
  });

  describeLinuxFds('timerfd', () => {
    test.each(['monotonic', 'realtime', 'boottime'] as const)(
      '%s: once, and again and again',
      async (clock) => {
        const timer = context.own(new TimerFd({ reactor: context.reactor, clock }));
        timer.set({ valueNs: 1 });
        expect(await within(timer.expired(), 'once')).toBe(1);
        expect(await rejection(timer.expired({ timeoutMs: 5 }))).toMatchObject({
          code: 'ERR_TRIPOLL_TIMEOUT',
        });
        timer.set({ valueNs: 1, periodNs: 1000 });
        let times = 0;
        while (times < 100) times += await within(timer.expired(), 'again');
        timer.set({ valueNs: 0 });
        expect(await rejection(timer.expired({ timeoutMs: 5 }))).toMatchObject({
          code: 'ERR_TRIPOLL_TIMEOUT',
        });
      },
    );

    test('absolute: a moment of the calendar that has passed is now', async () => {
      const timer = context.own(new TimerFd({ reactor: context.reactor, clock: 'realtime' }));
      timer.set({ valueNs: 1, absolute: true });
      expect(await within(timer.expired(), 'expired')).toBe(1);
    });

    test('errors', () => {
      const { reactor } = context;
      expect(thrownBy(() => new TimerFd({ reactor, clock: 'sundial' as never })).name).toBe('RangeError');
      const timer = new TimerFd({ reactor });
      expect(thrownBy(() => timer.set({ valueNs: -1 })).name).toBe('RangeError');
      timer.close();
      expect(thrownBy(() => timer.set({ valueNs: 1 })).code).toBe('ERR_TRIPOLL_CLOSED');
      expect(sys.fcntl(timer.fd, sys.constants['F_GETFD'])).toBe(-sys.errno['EBADF']);
    });
  });
}

// Sources with handlers: one way, `subscribe`, for all that give values (friction 10).
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import path from 'node:path';
import { Reactor, type BackendName } from 'tripoll';
import { EventFd, Inotify, PidFd, signal, TimerFd } from 'tripoll/net';
import { sys } from 'tripoll/raw';
import { testLinuxFds } from '../../../support/applies.js';
import { expectCleanExit, runScript } from '../../../support/child.js';
import { until, within } from '../../../support/deadline.js';
import { closed, invalidType, state, thrownBy } from '../../../support/errors.js';
import { temporaryFolder } from '../../../support/folders.js';
import { deferred, turnOf, type Context } from '../../tools.js';

const { IN_CREATE = 0 } = sys.constants;
const folder = temporaryFolder();
let folders = 0;

export function describeHandlers(context: Context): void {
  describe('subscribe', () => {
    testLinuxFds('eventfd: what take() would give, in turns of the reactor', async () => {
      const counter = context.own(new EventFd({ reactor: context.reactor, initial: 2 }));
      const told: [bigint, boolean][] = [];
      const { turns } = context.reactor.inspect();
      counter.subscribe({
        value: (source, count) => told.push([count, source === counter]),
      });
      await until(() => told.length === 1, 'the first');
      expect(context.reactor.inspect().turns).toBeGreaterThan(turns);
      await counter.add(40);
      await until(() => told.length === 2, 'the second');
      expect(told).toEqual([
        [2n, true],
        [40n, true],
      ]);
      // Who waits with a promise is served first.
      const taken = counter.take();
      await counter.add(3);
      expect(await within(taken, 'take')).toBe(3n);
      expect(told.length).toBe(2);
    });

    testLinuxFds('a semaphore: one call for each, more than one event gives', async () => {
      const counter = context.own(new EventFd({ reactor: context.reactor, initial: 100, semaphore: true }));
      let calls = 0;
      counter.subscribe({ value: (_, count) => (calls += Number(count)) });
      await until(() => calls === 100, 'all');
      await turnOf(context.reactor);
      expect(calls).toBe(100);
    });

    testLinuxFds('timerfd: how often it expired', async () => {
      const timer = context.own(new TimerFd({ reactor: context.reactor }));
      let times = 0;
      timer.subscribe({ value: (_, count) => (times += count) });
      timer.set({ valueNs: 1, periodNs: 1000 });
      await until(() => times >= 100, '100 times');
    });

    testLinuxFds('inotify: all events that one read brings, in order', async () => {
      const watched = path.join(folder, `watched-${++folders}`);
      mkdirSync(watched);
      const inotify = context.own(new Inotify({ reactor: context.reactor }));
      inotify.add(watched, IN_CREATE);
      const names: string[] = [];
      inotify.subscribe({ value: (_, { name }) => names.push(name) });
      const count = 100;
      for (let i = 0; i < count; i++) closeSync(openSync(path.join(watched, `${i}`), 'w'));
      await until(() => names.length === count, 'all');
      expect(names).toEqual(Array.from({ length: count }, (_, i) => `${i}`));
    });

    testLinuxFds('pidfd: once, and then it is quiet', async () => {
      const child = spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' });
      const process_ = context.own(new PidFd(child.pid!, { reactor: context.reactor }));
      let calls = 0;
      process_.subscribe({ value: () => (calls += 1) });
      await until(() => calls > 0, 'the end');
      const { events } = context.reactor.inspect();
      for (let i = 0; i < 20; i++) await turnOf(context.reactor);
      expect(calls).toBe(1);
      expect(context.reactor.inspect().events - events).toBeLessThan(5);
    });

    testLinuxFds('what a handler throws, or rejects with, is told, and the source goes on', async () => {
      const counter = context.own(new EventFd({ reactor: context.reactor, initial: 3, semaphore: true }));
      const errors: string[] = [];
      let calls = 0;
      counter.subscribe({
        value() {
          calls++;
          if (calls === 1) throw new Error('thrown');
          return calls === 2 ? Promise.reject(new Error('rejected')) : undefined;
        },
        error: (_, error) => errors.push(error.message),
      });
      await until(() => calls === 3 && errors.length === 2, 'all');
      expect(errors).toEqual(['thrown', 'rejected']);
    });

    for (const how of ['close', 'reactor'])
      testLinuxFds(`close is told once, and last: by ${how}`, async () => {
        const reactor = new Reactor({ backend: context.reactor.backend as BackendName });
        const counter = new EventFd({ reactor, initial: 9, semaphore: true });
        const told: string[] = [];
        const over = deferred<undefined>();
        counter.subscribe({
          value() {
            told.push('value');
            if (how === 'close') counter.close();
            else reactor.close();
          },
          close(source) {
            told.push(`close ${source === counter}`);
            over.resolve(undefined);
          },
        });
        await within(over.promise, 'close');
        counter.close();
        reactor.close();
        expect(told).toEqual(['value', 'close true']);
      });

    testLinuxFds('bad input', () => {
      const { reactor } = context;
      const counter = context.own(new EventFd({ reactor }));
      for (const wrong of [
        undefined,
        null,
        {},
        { value: 7 },
        { value() {}, error: 7 },
        { value() {}, close: {} },
      ]) {
        expect(thrownBy(() => counter.subscribe(wrong as never))).toEqual(invalidType);
      }
      counter.subscribe({ value() {} });
      expect(thrownBy(() => counter.subscribe({ value() {} }))).toEqual(state);
      counter.close();
      expect(thrownBy(() => counter.subscribe({ value() {} }))).toMatchObject(closed);
      const source = context.own(signal('SIGUSR2', { reactor }));
      expect(thrownBy(() => source.subscribe({} as never))).toEqual(invalidType);
      source.subscribe({ value() {} });
      expect(thrownBy(() => source.subscribe({ value() {} }))).toEqual(state);
      source.close();
      expect(thrownBy(() => source.subscribe({ value() {} }))).toMatchObject(closed);
    });

    test('signals: also those that came before; the process lives until it closes', async () => {
      const script = `
        const { Reactor } = require('tripoll');
        const { signal } = require('tripoll/net');
        const reactor = new Reactor({ driver: '${context.reactor.driver}', backend: '${context.reactor.backend}' });
        const source = signal(['SIGUSR1', 'SIGUSR2'], { reactor });
        process.kill(process.pid, 'SIGUSR2');
        setTimeout(() => {
          source.subscribe({
            value(self, name) {
              console.log(name, self === source);
              if (name === 'SIGUSR2') process.kill(process.pid, 'SIGUSR1');
              else throw new Error('thrown');
            },
            error(self, error) { console.log(error.message); self.close(); },
            close() { console.log('close'); },
          });
        }, 50);`;
      const result = await runScript(script, { deadlineMs: 20_000 });
      expectCleanExit(result);
      expect(result.stdout).toBe('SIGUSR2 true\nSIGUSR1 true\nthrown\nclose\n');
    });

    test('signals: closed with their reactor', async () => {
      const script = `
        const { Reactor } = require('tripoll');
        const { signal } = require('tripoll/net');
        const reactor = new Reactor();
        const source = signal('SIGUSR2', { reactor });
        source.subscribe({ value() {}, close: () => console.log('close', source.closed) });
        setImmediate(() => reactor.close());`;
      const result = await runScript(script, { deadlineMs: 20_000 });
      expectCleanExit(result);
      expect(result.stdout).toBe('close true\n');
    });
  });
}

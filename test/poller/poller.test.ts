import { capabilities, type Events, Interest, Mode, Poller, type PollerOptions, Readiness } from 'tripoll';
import { native } from '#lib/binding/native';
import { runScript } from '../support/child';
import { invalidType, outOfRange, thrownBy } from '../support/errors';
import { openedSince, openFds } from '../support/fds';

const wrongOptions = (options: unknown): PollerOptions => options as PollerOptions;

test('the default backend is the best of the platform', () => {
  const poller = new Poller();
  expect(poller.backend).toBe(capabilities.backends[0]);
  poller.close();
});

test('a backend that is none is a RangeError, one of another platform unsupported', () => {
  expect(thrownBy(() => new Poller(wrongOptions({ backend: 'select' })))).toEqual(outOfRange);
  expect(thrownBy(() => new Poller(wrongOptions({ backend: '' })))).toEqual(outOfRange);
  expect(thrownBy(() => new Poller(wrongOptions({ backend: `epoll\0` })))).toEqual(outOfRange);
  expect(thrownBy(() => new Poller({ backend: 'iocp' }))).toEqual({
    name: 'Error',
    code: 'ERR_TRIPOLL_UNSUPPORTED',
  });
});

test('options and backend of a wrong type are TypeErrors', () => {
  for (const wrong of [null, 1, 'epoll']) {
    expect(thrownBy(() => new Poller(wrongOptions(wrong)))).toEqual(invalidType);
  }
  for (const wrong of [null, 1, {}, Symbol('epoll')]) {
    expect(thrownBy(() => new Poller(wrongOptions({ backend: wrong })))).toEqual(invalidType);
  }
});

test('TRIPOLL_BACKEND names the default, and an unknown one is refused', async () => {
  const script = `
    const { Poller } = require('tripoll');
    try { console.log(new Poller().backend); } catch (error) { console.log(error.name, error.code); }`;
  const outputs: string[] = [];
  for (const backend of ['poll', 'epoll', '', 'select', 'kqueue']) {
    outputs.push((await runScript(script, { env: { TRIPOLL_BACKEND: backend } })).stdout);
  }
  expect(outputs).toEqual([
    'poll\n',
    'epoll\n',
    `${capabilities.backends[0] ?? ''}\n`,
    'RangeError ERR_TRIPOLL_OUT_OF_RANGE\n',
    'Error ERR_TRIPOLL_UNSUPPORTED\n',
  ]);
});

test('a poller that cannot be opened says EMFILE, and leaves no fd open', async () => {
  // The limit is lowered to what the process has open, plus one or two of the three fds.
  const script = `
    const fs = require('node:fs');
    const { execFileSync } = require('node:child_process');
    const { Poller } = require('tripoll');
    const limit = (files) => execFileSync('prlimit', ['--pid', String(process.pid), '--nofile=' + files + ':']);
    limit(1024);
    new Poller().close();
    const before = fs.readdirSync('/proc/self/fd').length;
    const numbers = fs.readdirSync('/proc/self/fd').map(Number);
    const highest = Math.max(...numbers);
    for (let extra = 0; extra < 2; extra++) {
      limit(highest + 1);
      const held = [];
      try { for (;;) held.push(fs.openSync('/dev/null')); } catch {}
      for (let i = 0; i < extra; i++) fs.closeSync(held.pop());
      let said = 'opened';
      try { new Poller({ backend: process.argv[1] }); } catch (error) { said = error.code + ' ' + error.syscall; }
      for (const fd of held) fs.closeSync(fd);
      limit(1024);
      console.log(said, fs.readdirSync('/proc/self/fd').length - before);
    }`;
  for (const backend of ['epoll', 'poll']) {
    const { stdout, stderr } = await runScript(script, { args: [backend] });
    expect({ stdout, stderr }).toEqual({
      stdout: `EMFILE open ${backend} 0\n`.repeat(2),
      stderr: '',
    });
  }
});

test('constants and layout come from native code', () => {
  expect(Interest.READABLE).toBe(native.flags['INTEREST_READABLE']);
  expect(Object.isFrozen(Interest) && Object.isFrozen(Readiness) && Object.isFrozen(Mode)).toBe(true);
  const poller = new Poller();
  const events: Events = poller.events;
  expect(events.capacity).toBe(native.layout['batchSize']);
  expect(events.words.byteLength).toBe(events.capacity * (native.layout['recordBytes'] ?? 0));
  poller.close();
});

test('an errno comes from the high half of a readiness, negative, and never as -0', () => {
  const poller = new Poller();
  poller.events.words.set([1, 2, ((9 << 16) | Readiness.ERROR) >>> 0, 3, 4, (0xffff << 16) >>> 0, 5, 6, 1]);
  expect(poller.events.errno(0)).toBe(-9);
  expect(poller.events.readiness(0)).toBe(Readiness.ERROR);
  expect(poller.events.errno(1)).toBe(-0xffff);
  expect(poller.events.readiness(1)).toBe(0);
  expect(poller.events.errno(2)).toBe(0);
  poller.close();
});

test('a poller is disposable', () => {
  const before = openFds();
  const poller = new Poller();
  poller[Symbol.dispose]();
  expect(openedSince(before)).toEqual([]);
  expect(thrownBy(() => poller.wait(0))).toMatchObject({ code: 'ERR_TRIPOLL_CLOSED' });
});

import { capabilities, type Events, Interest, Mode, Poller, type PollerOptions, Readiness } from 'tripoll';
import { native } from '#lib/binding/native';
import { runScript } from '../support/child';
import { hasBackend, systemBackend } from '../support/backends';
import { invalidType, outOfRange, thrownBy } from '../support/errors';
import { FD_FOLDER, openedSince, openFds } from '../support/fds';
import { testFewFds } from '../support/applies';

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
  const missing = hasBackend('epoll') ? 'iocp' : 'epoll';
  expect(thrownBy(() => new Poller({ backend: missing }))).toEqual({
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
  const missing = hasBackend('epoll') ? 'kqueue' : 'epoll';
  for (const backend of [...capabilities.backends, '', 'select', missing]) {
    outputs.push((await runScript(script, { env: { TRIPOLL_BACKEND: backend } })).stdout);
  }
  expect(outputs).toEqual([
    ...capabilities.backends.map((name) => `${name}\n`),
    `${capabilities.backends[0] ?? ''}\n`,
    'RangeError ERR_TRIPOLL_OUT_OF_RANGE\n',
    'Error ERR_TRIPOLL_UNSUPPORTED\n',
  ]);
});

testFewFds('a poller that cannot be opened says EMFILE, and leaves no fd open', async () => {
  // None of the fds that a poller needs is to be had, then only the first of them.
  const script = `
    const fs = require('node:fs');
    const { Poller } = require('tripoll');
    new Poller().close();
    const before = fs.readdirSync('${FD_FOLDER}').length;
    const lines = [];
    // A kqueue is one fd, the others are more.
    for (let left = 0; left < (process.argv[1] === 'kqueue' ? 1 : 2); left++) {
      const held = [];
      try { for (;;) held.push(fs.openSync('/dev/null')); } catch {}
      for (let i = 0; i < left; i++) fs.closeSync(held.pop());
      let said = 'opened';
      try { new Poller({ backend: process.argv[1] }); } catch (error) { said = error.code + ' ' + error.syscall; }
      for (const fd of held) fs.closeSync(fd);
      lines.push(said + ' ' + (fs.readdirSync('${FD_FOLDER}').length - before));
    }
    console.log(lines.join('\\n')); // last: the first use of process.stdout may open an fd`;
  for (const backend of [systemBackend, 'poll']) {
    const { stdout, stderr } = await runScript(script, { args: [backend], maxFds: 64 });
    expect({ stdout, stderr }).toEqual({
      stdout: `EMFILE open ${backend} 0\n`.repeat(backend === 'kqueue' ? 1 : 2),
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

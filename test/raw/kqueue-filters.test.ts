// raw.Kqueue with the filters that only real systems have: all skipped on Linux, over the shim too.
import { spawn } from 'node:child_process';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type ConstantName, KeventList, Kqueue, sys } from 'tripoll/raw';
import { constant, Rig } from '../poller/rig';
import { testIf } from '../support/applies';
import { temporaryFolder } from '../support/folders';

const c = sys.constants;
const { EV_ADD = 0, EV_ONESHOT = 0, EV_CLEAR = 0 } = c;
const WAIT_NS = 5e9;

function withKqueue(test: (kqueue: Kqueue, changes: KeventList, events: KeventList) => void): void {
  const kqueue = new Kqueue();
  try {
    test(kqueue, new KeventList(1), new KeventList(4));
  } finally {
    kqueue.close();
  }
}

/** The test of one filter, where the system's header has it. */
function testFilter(name: ConstantName, run: (filter: number) => void): void {
  testIf(c[name] !== undefined, 'this system has no such filter')(name, () => run(c[name]!));
}

testFilter('EVFILT_TIMER', (filter) => {
  withKqueue((kqueue, changes, events) => {
    const start = process.hrtime.bigint();
    const change = changes.fill({ ident: 5, filter, flags: EV_ADD | EV_ONESHOT, data: 20, udata: 9 }); // 20 ms
    expect(kqueue.kevent(change, events.bytes, WAIT_NS)).toBe(1);
    expect([events.ident(0), events.filter(0), events.data(0), events.udata(0)]).toEqual([5, filter, 1, 9]);
    expect(Number(process.hrtime.bigint() - start)).toBeGreaterThanOrEqual(19e6);
  });
});

testFilter('EVFILT_SIGNAL', (filter) => {
  const ignore = (): void => {};
  process.on('SIGUSR2', ignore); // which else ends the process
  withKqueue((kqueue, changes, events) => {
    const ident = constantOfSignal();
    expect(kqueue.kevent(changes.fill({ ident, filter, flags: EV_ADD }), null, 0)).toBe(0);
    process.kill(process.pid, 'SIGUSR2');
    expect(kqueue.kevent(null, events.bytes, WAIT_NS)).toBe(1);
    expect([events.ident(0), events.filter(0)]).toEqual([ident, filter]);
  });
  process.off('SIGUSR2', ignore);
});

function constantOfSignal(): number {
  return 31; // SIGUSR2 on macOS and on every BSD
}

testFilter('EVFILT_PROC', (filter) => {
  withKqueue((kqueue, changes, events) => {
    const child = spawn(process.execPath, ['-e', 'process.stdin.resume()'], {
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    const ident = child.pid!;
    const change = changes.fill({ ident, filter, flags: EV_ADD, fflags: constant('NOTE_EXIT') });
    expect(kqueue.kevent(change, null, 0)).toBe(0);
    child.kill('SIGKILL');
    expect(kqueue.kevent(null, events.bytes, WAIT_NS)).toBe(1);
    expect([events.ident(0), events.filter(0)]).toEqual([ident, filter]);
    expect(events.fflags(0) & constant('NOTE_EXIT')).not.toBe(0);
  });
});

testFilter('EVFILT_VNODE', (filter) => {
  const folder = temporaryFolder();
  const file = path.join(folder, 'file');
  writeFileSync(file, 'text');
  const fd = openSync(file, 'r');
  withKqueue((kqueue, changes, events) => {
    const fflags = (constant('NOTE_WRITE') | constant('NOTE_EXTEND')) >>> 0;
    const change = changes.fill({ ident: fd, filter, flags: EV_ADD | EV_CLEAR, fflags });
    expect(kqueue.kevent(change, events.bytes, 0)).toBe(0);
    writeFileSync(file, 'more', { flag: 'a' });
    expect(kqueue.kevent(null, events.bytes, WAIT_NS)).toBe(1);
    expect(events.fflags(0) & constant('NOTE_WRITE')).not.toBe(0);
  });
  closeSync(fd);
});

testFilter('EVFILT_EXCEPT', (filter) => {
  const rig = new Rig(() => {
    throw new Error('no poller here');
  });
  const [one, other] = rig.tcp();
  withKqueue((kqueue, changes, events) => {
    const fflags = constant('NOTE_OOB');
    expect(kqueue.kevent(changes.fill({ ident: one, filter, flags: EV_ADD, fflags }), null, 0)).toBe(0);
    expect(sys.send(other, Buffer.from('!'), 0, 1, constant('MSG_OOB'))).toBe(1);
    expect(kqueue.kevent(null, events.bytes, WAIT_NS)).toBe(1);
    expect(events.fflags(0) & fflags).toBe(fflags);
  });
  rig.end();
});

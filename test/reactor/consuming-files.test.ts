// Files whose poll consumes their event: a poller in another never sees it (F22, T81).
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { Interest, Reactor } from 'tripoll';
import { AsyncFd } from 'tripoll/net';
import { describeIf, testIf } from '../support/applies.js';
import { canNest } from '../support/backends.js';
import { packageRoot } from '../support/child.js';
import { thrownBy, unsupported } from '../support/errors.js';

const MOUNTS = '/proc/self/mounts';
const isLinux = existsSync(MOUNTS);
/**
 * In a mount namespace of its own: changes the mounts, and says how many events came before and
 * after.
 */
const CHILD = `
  const { openSync } = require('node:fs');
  const { execFileSync } = require('node:child_process');
  const { Interest, Reactor } = require('tripoll');
  const reactor = new Reactor({ driver: 'watcher', backend: 'epoll' });
  let events = 0;
  const told = () => { if (++events === 1) { registration.deregister(); console.log('told'); } };
  const registration = reactor.register(openSync('${MOUNTS}', 'r'), Interest.PRIORITY, { onReady: told });
  if (process.argv[1] === 'run') void reactor.run();
  reactor.post(() => execFileSync('mount', ['-t', 'tmpfs', 'none', '/mnt']));`;
const canMount =
  isLinux && spawnSync('unshare', ['-rm', 'sh', '-c', 'mount -t tmpfs none /mnt']).status === 0;

describeIf(isLinux && canNest, 'such files are Linux’s, and the nested driver too')('T81', () => {
  let fd = -1;
  const handler = { onReady: () => undefined };
  beforeEach(() => {
    fd = openSync(MOUNTS, 'r');
  });
  afterEach(() => closeSync(fd));

  test('F22 the nested driver refuses PRIORITY of such a file, and names the driver that delivers', () => {
    const reactor = new Reactor({ driver: 'nested', backend: 'epoll' });
    expect(thrownBy(() => reactor.register(fd, Interest.PRIORITY, handler))).toEqual(unsupported);
    expect(() => reactor.register(fd, Interest.PRIORITY | Interest.READABLE, handler)).toThrow(/watcher/);
    const interest = Interest.PRIORITY;
    expect(thrownBy(() => new AsyncFd(fd, { reactor, interest, nonBlocking: false }))).toEqual(unsupported);
    expect(reactor.inspect().registrations).toBe(0);
    const registration = reactor.register(fd, 0, handler);
    expect(thrownBy(() => registration.setInterest(Interest.PRIORITY))).toEqual(unsupported);
    registration.setInterest(Interest.READABLE);
    registration.deregister();
    reactor.close();
  });

  test('F22 a file of sysfs keeps its event, and is taken; so is a device', () => {
    const reactor = new Reactor({ driver: 'nested', backend: 'epoll' });
    for (const path of ['/sys/kernel/uevent_seqnum', '/dev/ptmx'].filter((name) => existsSync(name))) {
      const file = openSync(path, 'r');
      reactor.register(file, Interest.PRIORITY, handler).deregister();
      closeSync(file);
    }
    reactor.close();
  });

  const testMount = testIf(canMount, 'no mount namespace of its own, for want of rights or of unshare(1)');
  for (const mode of ['watch', 'run']) {
    testMount(`F22 the watcher delivers it (${mode})`, () => {
      const child = spawnSync('unshare', ['-rm', process.execPath, '-e', CHILD, mode], {
        cwd: packageRoot,
        encoding: 'utf8',
        timeout: 15_000,
      });
      expect({ stdout: child.stdout, stderr: child.stderr }).toEqual({ stdout: 'told\n', stderr: '' });
    });
  }
});

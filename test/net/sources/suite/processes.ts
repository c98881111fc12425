import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { childExit, PidFd } from 'tripoll/net';
import { expectCleanExit, packageRoot, runFile, runScript } from '../../../support/child.js';
import { describeLinuxFds } from '../../../support/applies.js';
import { within } from '../../../support/deadline.js';
import { thrownBy } from '../../../support/errors.js';
import { rejection, type Context } from '../../tools.js';

export function describeProcesses(context: Context): void {
  describeLinuxFds('processes', () => {
    test('childExit says when, and leaves Node its child', async () => {
      const child = spawn('sh', ['-c', 'read line; exit 5'], { stdio: ['pipe', 'ignore', 'ignore'] });
      const exited = once(child, 'exit');
      const ours = childExit(child.pid!, { reactor: context.reactor });
      expect(
        await rejection(childExit(child.pid!, { reactor: context.reactor, timeoutMs: 1 })),
      ).toMatchObject({
        code: 'ERR_TRIPOLL_TIMEOUT',
      });
      child.stdin.end('\n');
      expect(await within(ours, 'childExit')).toBeNull();
      expect(await within(exited, 'Node’s own')).toEqual([5, null]);
      expect(await rejection(childExit(child.pid!, { reactor: context.reactor }))).toMatchObject({
        code: 'ESRCH',
      });
    });

    test('a child that Node does not know: reaped, with its status', async () => {
      // The shell's children become Node's when it becomes Node.
      const script = path.join(packageRoot, 'out/test/net/sources/reap-child.js');
      const backend = context.reactor.backend;
      // One ends after the exec, or the shell would reap it; neither keeps our pipe open.
      const children = `(sleep 0.3; exit 7) >/dev/null & a=$!; sleep 30 >/dev/null & b=$!;`;
      const child = spawn('sh', ['-c', `${children} exec "$0" "$1" $a $b`, process.execPath, script], {
        cwd: packageRoot,
        env: { ...process.env, TRIPOLL_BACKEND: backend },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let output = '';
      child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
      expect(await within(once(child, 'close'), 'exit')).toEqual([0, null]);
      expect(JSON.parse(output)).toEqual({
        byItself: { code: 7, signal: null },
        bySignal: { code: null, signal: 9 },
        twice: 'ESRCH',
      });
    });

    test('a pidfd is a process, no number', async () => {
      const child = spawn('sleep', ['1000'], { stdio: 'ignore' });
      const exited = once(child, 'exit');
      const pid = context.own(new PidFd(child.pid!, { reactor: context.reactor }));
      pid.kill(0);
      expect(thrownBy(() => pid.reap()).code).toBe('EAGAIN');
      pid.kill(9);
      await within(pid.exited(), 'exited');
      expect(await within(exited, 'Node’s own')).toEqual([null, 'SIGKILL']);
      expect(thrownBy(() => pid.kill(0)).code).toBe('ESRCH');
      expect(pid.reap()).toBeNull();
    });
  });

  // In a child: Jest gives its tests a copy of `process`, whose listeners hear no signals.
  test('signals: remembered once each, told, cancelled, left alone afterwards', async () => {
    const backend = context.reactor.backend;
    const result = await runFile('net/sources/signal-child', { env: { TRIPOLL_BACKEND: backend } });
    expectCleanExit(result);
    expect(result.stdout).toBe('ok\n');
  });

  test('a signal that is waited for keeps the process alive; a worker has none', async () => {
    const result = await runFile('net/sources/signal-child', { args: ['wait'] });
    expect({ ...result, stdout: result.stdout.trim() }).toMatchObject({
      code: 0,
      stdout: 'SIGTERM',
      stderr: '',
    });
    const worker = `new (require('node:worker_threads').Worker)("try { require('tripoll/net').signal('SIGTERM') } catch (error) { console.log(error.code) }", { eval: true })`;
    expect((await runScript(worker)).stdout.trim()).toBe('ERR_TRIPOLL_UNSUPPORTED');
  });
}

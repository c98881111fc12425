// Signals to itself. "wait": prints the signal that its grandchild sends it after a while.
import assert from 'node:assert';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Reactor } from 'tripoll';
import { signal } from 'tripoll/net';

async function main(): Promise<void> {
  const reactor = Reactor.default;
  const source = signal(['SIGUSR2', 'SIGHUP']);
  const first = source.next();
  process.kill(process.pid, 'SIGUSR2');
  assert.strictEqual(await first, 'SIGUSR2');
  const seen: string[] = [];
  process.kill(process.pid, 'SIGHUP');
  for await (const name of source) {
    if (seen.push(name) === 2) break;
    process.kill(process.pid, 'SIGUSR2');
  }
  assert.deepStrictEqual(seen, ['SIGHUP', 'SIGUSR2']);
  assert.strictEqual(source.closed, true);
  assert.strictEqual(process.listenerCount('SIGUSR2'), 0);

  const other = signal('SIGUSR2');
  await assert.rejects(other.next({ timeoutMs: 1 }), { code: 'ERR_TRIPOLL_TIMEOUT' });
  await assert.rejects(other.next({ signal: AbortSignal.abort() }), { code: 'ABORT_ERR' });
  // While nobody asks it is remembered, once.
  const alive = setInterval(() => undefined, 1000);
  for (let i = 0; i < 2; i++) {
    const heard = once(process, 'SIGUSR2');
    process.kill(process.pid, 'SIGUSR2');
    await heard;
  }
  clearInterval(alive);
  assert.strictEqual(await other.next(), 'SIGUSR2');
  await assert.rejects(other.next({ timeoutMs: 1 }), { code: 'ERR_TRIPOLL_TIMEOUT' });
  const waiting = other.next();
  other.close();
  other.close();
  await assert.rejects(waiting, { code: 'ERR_TRIPOLL_CLOSED' });
  await assert.rejects(other.next(), { code: 'ERR_TRIPOLL_CLOSED' });
  assert.throws(() => signal('SIGNOTHING' as NodeJS.Signals), { name: 'RangeError' });
  assert.throws(() => signal('SIGKILL'), { code: 'EINVAL' });
  assert.strictEqual(reactor.inspect().refs, 0);
  console.log('ok');
}

if (process.argv[2] === 'wait') {
  // It waits before anybody is started who sends the signal.
  const waiting = signal('SIGTERM').next();
  spawn('sh', ['-c', `sleep 0.2; kill -TERM ${process.pid}`], { stdio: 'ignore', detached: true }).unref();
  void waiting.then((name) => console.log(name));
} else void main();

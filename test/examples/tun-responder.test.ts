import path from 'node:path';
import { native } from '#lib/binding/native';
import { testIf } from '../support/applies.js';
import { packageRoot } from '../support/child.js';
import { inNamespace, testInNamespace } from '../support/namespace.js';
import { expectExit, runExample } from './example.js';

const script = path.join(packageRoot, 'out/examples/tun-responder.js');

const testTun =
  native.tunSetInterface === undefined
    ? testIf(false, 'this addon has no TUN devices')
    : testInNamespace('ip tuntap add dev probe mode tun', 'ping');

testTun('ping(8) is answered, for every host of its network, until SIGINT', () => {
  // All within one network namespace, which goes with the shell.
  const command = `
    : > "$2"; "$0" "$1" 10.9.8.1/24 >> "$2" & responder=$!
    tail --pid=$responder -n +1 -f "$2" | grep -q -m 1 '^responding'
    ping -n -c 3 -i 0.2 -W 5 10.9.8.77 && ping -n -c 1 -s 1400 -W 5 10.9.8.200
    status=$?
    kill -INT $responder; wait $responder; echo "exit $? $status"; cat "$2"; rm "$2"`;
  const output = path.join(packageRoot, `out/tun-responder-${process.pid}.log`);
  const result = inNamespace(command, [process.execPath, script, output], { timeoutMs: 18_000 });
  expect(result.stderr).toBe('');
  expect(result.stdout).toContain('3 packets transmitted, 3 received, 0% packet loss');
  expect(result.stdout).toContain('1408 bytes from 10.9.8.200');
  expect(result.stdout).toContain('exit 0 0');
  expect(result.stdout).toContain('answered for 10.9.8.77');
});

test('usage', async () => {
  await expectExit(runExample('tun-responder', ['localhost']), 2, 'usage:');
});

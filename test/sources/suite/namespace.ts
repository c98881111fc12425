import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { testIf } from '../../support/applies.js';
import { packageRoot } from '../../support/child.js';

/** Why no network namespace can be made here; '' when one can. */
function whyNoNamespace(): string {
  const { error, status, stderr } = spawnSync('unshare', ['-n', 'ip', 'link', 'set', 'lo', 'up'], {
    encoding: 'utf8',
  });
  if (error !== undefined) return error.message;
  return status === 0 ? '' : stderr.trim();
}

const reason = whyNoNamespace();
const child = path.join(packageRoot, 'out/test/sources/namespace-child.js');

/** Each runs in a network namespace of its own, whose loopback is up. */
export function describeNamespace(backend: string): void {
  const inNamespace = (what: string): void => {
    testIf(reason === '', `no network namespace: ${reason}`)(what, () => {
      const command = `ip link set lo up && echo '0 0' > /proc/sys/net/ipv4/ping_group_range && exec "$0" "$@"`;
      const result = spawnSync('unshare', ['-n', 'sh', '-c', command, process.execPath, child, what], {
        cwd: packageRoot,
        encoding: 'utf8',
        env: { ...process.env, TRIPOLL_BACKEND: backend },
        timeout: 15_000,
      });
      expect({ status: result.status, stdout: result.stdout, stderr: result.stderr }).toEqual({
        status: 0,
        stdout: 'ok\n',
        stderr: '',
      });
    });
  };

  describe('in a network namespace', () => {
    inNamespace('netlink: an answer and a group');
    inNamespace('ICMP without rights: an echo');
    inNamespace('ICMPv6 without rights: an echo');
    inNamespace('raw ICMP: an echo, with its IP header');
    inNamespace('packet: frames of the loopback');
    inNamespace('TUN: a ping is answered by us');
    inNamespace('TAP: an ARP request comes out');
    inNamespace('CAN and vsock: as far as this kernel has them');
  });
}

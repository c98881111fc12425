import path from 'node:path';
import { hasLinuxFds, testLinuxFds } from '../../../support/applies.js';
import { packageRoot } from '../../../support/child.js';
import { inNamespace, testInNamespace } from '../../../support/namespace.js';

const SETUP = `ip link set lo up && echo '0 0' > /proc/sys/net/ipv4/ping_group_range`;
const testHere = testInNamespace(SETUP);
// /dev/net/tun may be closed to who owns the namespace.
const testTun = hasLinuxFds ? testInNamespace(`${SETUP} && ip tuntap add dev probe mode tun`) : testLinuxFds;
const child = path.join(packageRoot, 'out/test/net/sources/namespace-child.js');

/** Each runs in a network namespace of its own, whose loopback is up. */
export function describeNamespace(backend: string): void {
  const testIn = (what: string, test = testHere): void => {
    test(what, () => {
      const words = [process.execPath, child, what];
      const result = inNamespace(`${SETUP} && exec "$0" "$@"`, words, { env: { TRIPOLL_BACKEND: backend } });
      expect({ status: result.status, stdout: result.stdout, stderr: result.stderr }).toEqual({
        status: 0,
        stdout: 'ok\n',
        stderr: '',
      });
    });
  };

  describe('in a network namespace', () => {
    testIn('netlink: an answer and a group');
    testIn('ICMP without rights: an echo');
    testIn('ICMPv6 without rights: an echo');
    testIn('raw ICMP: an echo, with its IP header');
    testIn('packet: frames of the loopback');
    testIn('TUN: a ping is answered by us', testTun);
    testIn('TAP: an ARP request comes out', testTun);
    testIn('CAN and vsock: as far as this kernel has them');
  });
}

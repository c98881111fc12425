import path from 'node:path';
import { inNamespace, testInNamespace } from '../../support/namespace.js';
import { packageRoot } from '../../support/child.js';

const bridge = [
  'ip link set lo up',
  'ip link add x0 type bridge',
  'ip link set x0 up',
  'ip -6 addr add fd00::1/64 dev x0 nodad',
  'ip -6 addr add fd00::2/64 dev x0 nodad',
].join(' && ');

testInNamespace(bridge)('IPv6 groups, with and without a source filter', () => {
  const child = path.join(packageRoot, 'out/test/net/udp/groups-v6-child.js');
  const { status, stdout, stderr } = inNamespace(`${bridge} && exec "$0" "$1"`, [process.execPath, child]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(JSON.parse(stdout)).toEqual([
    ['wanted', 'ff12::77:1', 'fd00::1'],
    ['now heard', 'ff12::77:1', 'fd00::2'],
    ['direct', 'fd00::2', 'fd00::2'],
  ]);
});

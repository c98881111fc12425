// What each platform can do is recorded in recorded.json, from which tools/portability-table.cjs
// makes the table of docs/portability.md. Each leg (Linux, kqueue over the shim, Wine, real
// systems) checks its own column here.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { capabilities, Mode, Poller } from 'tripoll';

const columns: Partial<Record<string, string>> = {
  epoll: 'Linux',
  kqueue: 'macOS, FreeBSD',
  iocp: 'Windows',
};
if (capabilities.runtime !== 'node') columns['epoll'] = 'Linux, in Bun and Deno';
if (['netbsd', 'openbsd'].includes(capabilities.platform)) columns['kqueue'] = 'NetBSD, OpenBSD';
const { LEVEL, EDGE, ONESHOT, EDGE_ONESHOT, EXCLUSIVE } = Mode;
const modes = {
  LEVEL,
  EDGE,
  ONESHOT,
  EDGE_ONESHOT,
  'LEVEL|EXCLUSIVE': LEVEL | EXCLUSIVE,
  'EDGE|EXCLUSIVE': EDGE | EXCLUSIVE,
};

test('capabilities are those that docs/portability.md tells of this platform', () => {
  const file = join(__dirname, '../../../test/capabilities/recorded.json');
  const recorded = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  const poller = new Poller();
  const supported = Object.entries(modes).filter(([, mode]) => poller.supports(mode));
  poller.close();
  const { backends, drivers, udp, unixMessages, namedPipes, splice, sendfile, zeroCopy } = capabilities;
  const { reusePortBalances, sharedListeners } = capabilities;
  // Of Windows it is its version's, and Wine's: those that have it are asked.
  const unixSockets = capabilities.platform === 'win32' ? '10 1803 and later' : capabilities.unixSockets;
  const told = { backends, drivers, udp, unixSockets, unixMessages, namedPipes };
  const here = { ...told, splice, sendfile, zeroCopy, reusePortBalances, sharedListeners };
  expect({ ...here, modes: supported.map(([name]) => name) }).toEqual(
    recorded[columns[backends[0] ?? ''] ?? ''],
  );
});

'use strict';
// Writes the table of docs/portability.md from test/capabilities/recorded.json, which
// test/capabilities checks on each platform; with --check it only says whether the two agree.
const { putTable } = require('./page-table.cjs');
const recorded = require('../test/capabilities/recorded.json');

const rows = {
  backends: 'backends, the default first',
  drivers: 'drivers, the default first',
  modes: 'modes of the default backend',
  udp: '`UdpSocket`, `bindUdp`',
  unixSockets: '`UnixStream`, `UnixListener`',
  unixMessages: '`UnixDatagram`, seqpacket, pairs, passing fds',
  splice: '`copyBidirectional` inside the kernel',
  sendfile: '`sendfile`',
  zeroCopy: '`writeZeroCopy`',
  reusePortBalances: 'SO_REUSEPORT spreads connections (`serve`)',
  sharedListeners: '`Runtime.serve`',
};

const text = (value) => {
  if (Array.isArray(value)) return value.map((name) => name.replace('|', ' with ')).join(', ');
  if (typeof value === 'string') return value;
  return value ? 'yes' : 'no';
};

const platforms = Object.keys(recorded);
const body = Object.entries(rows).map(([key, title]) => [
  title,
  ...platforms.map((name) => text(recorded[name][key])),
]);
putTable('table', [['', ...platforms], ...body], 'tools/portability-table.cjs');

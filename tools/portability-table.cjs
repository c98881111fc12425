'use strict';
// Writes the table of docs/portability.md from test/capabilities/recorded.json, which
// test/capabilities checks on each platform; with --check it only says whether the two agree.
const fs = require('node:fs');
const path = require('node:path');
const recorded = require('../test/capabilities/recorded.json');

const page = path.join(__dirname, '../docs/portability.md');
const [BEGIN, END] = ['<!-- table:begin -->', '<!-- table:end -->'];

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
};

const text = (value) => {
  if (Array.isArray(value)) return value.map((name) => name.replace('|', ' with ')).join(', ');
  if (typeof value === 'string') return value;
  return value ? 'yes' : 'no';
};

function table() {
  const platforms = Object.keys(recorded);
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [
    line(['', ...platforms]),
    line(['---', ...platforms.map(() => '---')]),
    ...Object.entries(rows).map(([key, title]) =>
      line([title, ...platforms.map((name) => text(recorded[name][key]))]),
    ),
  ].join('\n');
}

const before = fs.readFileSync(page, 'utf8');
const start = before.indexOf(BEGIN);
const end = before.indexOf(END);
if (start < 0 || end < start) throw new Error(`${page} has no ${BEGIN} and ${END}`);
const after = `${before.slice(0, start + BEGIN.length)}\n\n${table()}\n\n${before.slice(end)}`;
if (process.argv.includes('--check')) {
  if (after !== before) {
    console.error('docs/portability.md is not what tools/portability-table.cjs writes: run it');
    process.exitCode = 1;
  }
} else fs.writeFileSync(page, after);

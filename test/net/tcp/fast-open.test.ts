// TCP Fast Open once a peer's cookie is known, which takes a network namespace whose sysctl the
// test may set.
import { testIf } from '../../support/applies.js';
import { hasBackend } from '../../support/backends.js';
import { inNamespace, testInNamespace } from '../../support/namespace.js';

const SETUP = 'ip link set lo up && echo 3 > /proc/sys/net/ipv4/tcp_fastopen';

const script = `
'use strict';
const { Reactor } = require('tripoll');
const { connect, listen, TcpStream, tcpInfo } = require('tripoll/net');
const reactor = new Reactor({ backend: process.env.TRIPOLL_BACKEND, driver: process.env.TRIPOLL_BACKEND === 'poll' ? 'watcher' : undefined });
const options = { reactor, socketOptions: { tcpFastOpenConnect: true } };
const told = {};
const echo = { data: (c, chunk) => void c.write(chunk), end: (c) => void c.end(Buffer.from('.')) };
const listener = listen({ host: '127.0.0.1', port: 0, reactor, allowHalfOpen: true, socketOptions: { tcpFastOpen: 16 } }, echo);
const greeter = listen({ host: '127.0.0.1', port: 0, reactor, socketOptions: { tcpFastOpen: 16 } }, { open: (c) => c.end(Buffer.from('hello')) });
const target = (l) => ({ host: '127.0.0.1', port: l.localAddress.port });
async function readToEnd(stream) {
  let text = '';
  const buffer = Buffer.alloc(100);
  for (let n = await stream.read(buffer); n > 0; n = await stream.read(buffer)) text += buffer.toString('latin1', 0, n);
  return text;
}
/** Bit 5 of tcpi_options: the SYN's data was acknowledged (TCPI_OPT_SYN_DATA). */
async function promises(text, l = listener) {
  const stream = await TcpStream.connect(target(l), options);
  if (text !== '') await stream.writeAll(Buffer.from(text));
  stream.end();
  return readToEnd(stream);
}
function handlers(early, text) {
  return new Promise((resolve) => {
    let got = '';
    const connection = connect({ ...target(listener), ...options, allowHalfOpen: true }, {
      open(c) { if (!early) { c.write(Buffer.from(text)); c.end(); } },
      data(_, chunk) { got += Buffer.from(chunk).toString(); },
      close(_, error) { resolve(error === null ? got : error.code); },
    });
    if (early) { connection.write(Buffer.from(text)); connection.end(); }
  });
}
(async () => {
  const fails = setTimeout(() => { console.log(JSON.stringify({ hung: told })); process.exit(1); }, 8000);
  told.first = await promises('first');
  await promises('', greeter);
  for (let i = 0; i < 2; i++) {
    told['promises' + i] = await promises('data' + i);
    told['silent' + i] = await promises('', greeter);
    told['open' + i] = await handlers(false, 'open' + i);
    told['early' + i] = await handlers(true, 'early' + i);
    const reader = await TcpStream.connect(target(greeter), options);
    told['reads' + i] = await readToEnd(reader);
    reader.close();
  }
  clearTimeout(fails);
  const stream = await TcpStream.connect(target(listener), options);
  await stream.writeAll(Buffer.from('x'));
  await stream.read(Buffer.alloc(1));
  told.synData = (tcpInfo(stream.fd).options & 32) !== 0;
  stream.close();
  listener.close();
  greeter.close();
  console.log(JSON.stringify(told));
  reactor.close();
})();
`;

const testFastOpen = testInNamespace(SETUP);

describe.each(['epoll', 'poll'])('fast open with a known cookie, %s', (backend) => {
  // A kqueue's systems have no TCP_FASTOPEN_CONNECT.
  const testHere = hasBackend(backend) ? testFastOpen : testIf(false, 'this system has no such backend');
  testHere('T60 F4 connects, by the first write, the end or a read, in both styles', () => {
    const { stdout, stderr } = inNamespace(`${SETUP} && exec "$0" -e "$1"`, [process.execPath, script], {
      env: { TRIPOLL_BACKEND: backend },
    });
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual({
      first: 'first.',
      promises0: 'data0.',
      silent0: 'hello',
      open0: 'open0.',
      early0: 'early0.',
      reads0: 'hello',
      promises1: 'data1.',
      silent1: 'hello',
      open1: 'open1.',
      early1: 'early1.',
      reads1: 'hello',
      synData: true,
    });
  });
});

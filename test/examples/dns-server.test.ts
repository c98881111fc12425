import { UdpSocket } from 'tripoll/net';
import { testIf } from '../support/applies.js';
import { within } from '../support/deadline.js';
import { isUnkind } from '../support/kernel.js';
import { inNamespace, testInNamespace } from '../support/namespace.js';
import { Random, testSeed } from '../support/random.js';
import { describeWithTools } from '../support/tools.js';
import { exampleFile, expectExit, runExample, runTool, startServer, type Example } from './example.js';

function start(host = '127.0.0.1'): Promise<{ running: Example; port: number }> {
  return startServer(
    'dns-server',
    [host.includes(':') ? `[${host}]:0` : `${host}:0`],
    /^example\.test on \S+:(\d+)$/m,
  );
}

function dig(port: number, words: readonly string[], host = '127.0.0.1'): Promise<string> {
  const args = [`@${host}`, '-p', String(port), '+tries=1', '+time=10', ...words];
  return runTool('dig', args);
}

describeWithTools('dig')('dig', () => {
  test('records of each kind, and the case of the letters', async () => {
    const { running, port } = await start();
    const answers: [string[], string][] = [
      [['example.test', 'A'], '192.0.2.1\n'],
      [['EXAMPLE.tesT', 'AAAA'], '2001:db8::1\n'],
      [['example.test', 'MX'], '10 mail.example.test.\n'],
      [['example.test', 'TXT'], '"answered by tripoll"\n'],
      [['www.example.test', 'A'], 'example.test.\n192.0.2.1\n'],
      [['ns.example.test', 'AAAA'], ''],
      [['example.test', 'MX', '+tcp'], '10 mail.example.test.\n'],
      [['example.test', 'A', '+noedns'], '192.0.2.1\n'],
    ];
    for (const [words, expected] of answers) {
      expect(await dig(port, ['+short', ...words])).toBe(expected);
    }
    running.interrupt();
    await expectExit(running, 0, '');
  });

  test('what there is not, and what is not ours', async () => {
    const { port } = await start();
    const none = await dig(port, ['nope.example.test']);
    expect(none).toMatch(/status: NXDOMAIN/);
    expect(none).toMatch(/^example\.test\.\s+300\s+IN\s+SOA\s/m);
    expect(await dig(port, ['example.org'])).toMatch(/status: REFUSED/);
    expect(await dig(port, ['example.test', 'CH', 'TXT'])).toMatch(/status: REFUSED/);
    expect(await dig(port, ['example.test', '+opcode=notify'])).toMatch(/status: NOTIMP/);
  });

  test('too long for a datagram: truncated, and dig comes again by TCP', async () => {
    const { port } = await start();
    const cut = await dig(port, ['big.example.test', 'TXT', '+ignore']);
    expect(cut).toMatch(/flags:[a-z ]* tc[; ]/);
    const whole = await dig(port, ['big.example.test', 'TXT', '+short']);
    expect(whole.trim().split('\n').length).toBe(20);
  });

  test('many at once, over IPv6', async () => {
    const { port } = await start('::1');
    const questions = Array.from({ length: 30 }, (_, i) =>
      i % 3 === 0 ? ['www.example.test', 'A'] : ['mail.example.test', 'A'],
    );
    const answers = (await dig(port, ['+short', ...questions.flat()], '::1')).trim().split('\n');
    expect(answers.filter((line) => line === '192.0.2.25').length).toBe(20);
    expect(answers.filter((line) => line === '192.0.2.1').length).toBe(10);
  });
});

// A network namespace with four ports to give away.
const FOUR_PORTS = 'ip link set lo up && echo 40000 40003 > /proc/sys/net/ipv4/ip_local_port_range';

// The imitation of a dropped SYN listens and connects itself.
const testFourPorts = isUnkind('dropped-syn')
  ? testIf(false, 'the kqueue shim takes three of the four ports')
  : testInNamespace(FOUR_PORTS);
testFourPorts('port 0 is a number that both protocols have free', () => {
  // UDP has one of the four left; TCP's first pick is another.
  const script = `
    const example = process.argv[1];
    const { once } = require('node:events');
    const sockets = [40000, 40001, 40003].map((port) => require('node:dgram').createSocket('udp4').bind(port));
    Promise.all(sockets.map((socket) => once(socket, 'listening'))).then(() => {
      process.argv = [process.argv[0], example, '127.0.0.1:0'];
      require(example);
      process.emit('SIGINT');
      for (const socket of sockets) socket.close();
    });`;
  const words = [process.execPath, script, exampleFile('dns-server')];
  const result = inNamespace(`${FOUR_PORTS} && exec "$0" -e "$1" "$2"`, words);
  expect(result.stderr).toBe('');
  expect(result.stdout).toBe('example.test on 127.0.0.1:40002\n');
});

/** A question for `example.test A`. */
const question = Buffer.from('123401000001000000000000076578616d706c6504746573740000010001', 'hex');

test('nonsense is answered with an error, or not at all, and the server goes on', async () => {
  const { running, port } = await start();
  const seed = testSeed();
  const random = new Random(seed);
  const socket = await UdpSocket.connect({ host: '127.0.0.1', port });
  try {
    const buffer = new Uint8Array(2000);
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < 30; i++) {
        const bytes = Buffer.from(question.subarray(0, random.below(question.length + 1)));
        for (let j = random.below(4); j > 0 && bytes.length > 0; j--) {
          bytes[random.below(bytes.length)] = random.below(256);
        }
        // What it answers, it answers as another question's.
        if (bytes.length > 1) bytes.writeUInt16BE(0xffff, 0);
        await socket.send(bytes);
      }
      await socket.send(question);
      for (;;) {
        const { lengthBytes: bytes } = await within(socket.receive(buffer), `an answer (seed ${seed})`);
        const reply = Buffer.from(buffer.subarray(0, bytes));
        // A response, always; at last the one to what was a question.
        expect(reply[2]! & 0x80).toBe(0x80);
        if (reply.readUInt16BE(0) !== 0x1234) continue;
        expect(reply.subarray(-4)).toEqual(Buffer.from([192, 0, 2, 1]));
        break;
      }
    }
  } finally {
    socket.close();
  }
  running.interrupt();
  await expectExit(running, 0, '');
});

test.each([[['--help']], [['127.0.0.1:0', 'more']]])('%j: usage', async (args) => {
  await expectExit(runExample('dns-server', args), 2, 'usage:');
});

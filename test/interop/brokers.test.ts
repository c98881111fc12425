// Real brokers, mosquitto and NATS, with the clients `mqtt` and `nats`, whose sockets are tripoll's.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { secrets } from '../support/secrets.js';
import {
  accepts,
  folderFor,
  freePort,
  nobody,
  runApp,
  startProgram,
  testWithPrograms,
  writerIn,
} from './tools.js';

interface Broker {
  readonly port: number;
  readonly tlsPort: number;
}
let mosquitto: Promise<Broker> | undefined;

async function startMosquitto(): Promise<Broker> {
  const user = nobody();
  const folder = folderFor(user);
  const write = writerIn(folder, user);
  const [port, tlsPort] = [await freePort(), await freePort()];
  const settings = [
    'allow_anonymous true',
    // As many at a time as the client sends.
    'max_inflight_messages 0',
    'max_queued_messages 0',
    `listener ${port} 127.0.0.1`,
    `listener ${tlsPort} 127.0.0.1`,
    `keyfile ${write('key.pem', secrets.key)}`,
    `certfile ${write('cert.pem', secrets.cert)}`,
  ];
  const file = write('mosquitto.conf', `${settings.join('\n')}\n`);
  await startProgram('mosquitto', (output) => output.includes('running'), {
    args: ['-c', file],
    cwd: folder,
    user,
  });
  return { port, tlsPort };
}

const withMosquitto = testWithPrograms('mosquitto');

for (const [name, isSecure, byOption] of [
  ['by the hook, over TCP', false, false],
  ['by the hook, over TLS', true, false],
  ['by its own option', false, true],
] as const)
  withMosquitto(`mqtt, ${name}: QoS 0 to 2, a large message, a will`, async () => {
    mosquitto ??= startMosquitto();
    const { port, tlsPort } = await mosquitto;
    const place = {
      host: '127.0.0.1',
      port: isSecure ? tlsPort : port,
      byOption,
      ...(isSecure ? { ca: secrets.cert } : {}),
    };
    const { tripoll, ...done } = await runApp('mqtt', { args: [JSON.stringify(place)], isPlain: byOption });
    expect(done).toEqual({ inOrder: [true, true, true], large: true, will: 'gone' });
    // One publishes, one listens, one is lost.
    expect(tripoll).toEqual({ accepted: 0, connected: 3 });
  });

const withNats = testWithPrograms('nats-server');

withNats('nats, by the hook: messages, requests, and a large one', async () => {
  const folder = folderFor();
  const port = await freePort();
  const file = path.join(folder, 'nats.conf');
  writeFileSync(file, `listen: 127.0.0.1:${port}\nmax_payload: 8MB\nmax_pending: 64MB\n`);
  await startProgram('nats-server', () => accepts(port), { args: ['-c', file], cwd: folder });
  const { tripoll, ...done } = await runApp('nats', { args: [String(port)] });
  expect(done).toEqual({ heard: 5000, answers: 100, large: true });
  expect(tripoll).toEqual({ accepted: 0, connected: 2 });
});

// A real Redis with the clients `ioredis` and `redis`, whose sockets are tripoll's: by the hook, and
// by ioredis' Connector.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { secrets } from '../support/secrets.js';
import type { RedisPlace } from './apps/redis.js';
import { folderFor, freePort, runApp, startProgram, testWithPrograms } from './tools.js';

const VALUE_BYTES = 64 << 20;
const LESS_BYTES = 4 << 20;

interface Server {
  readonly folder: string;
  readonly port: number;
  readonly tlsPort: number;
}
let server: Promise<Server> | undefined;

async function startServer(): Promise<Server> {
  const folder = folderFor();
  const [port, tlsPort] = [await freePort(), await freePort()];
  writeFileSync(path.join(folder, 'key.pem'), secrets.key);
  writeFileSync(path.join(folder, 'cert.pem'), secrets.cert);
  const settings = {
    bind: '127.0.0.1',
    port,
    unixsocket: path.join(folder, 'socket'),
    'tls-port': tlsPort,
    'tls-key-file': path.join(folder, 'key.pem'),
    'tls-cert-file': path.join(folder, 'cert.pem'),
    'tls-ca-cert-file': path.join(folder, 'cert.pem'),
    'tls-auth-clients': 'no',
    save: '',
  };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
  await startProgram('redis-server', (output) => output.includes('Ready to accept connections'), {
    args,
    cwd: folder,
  });
  return { folder, port, tlsPort };
}

const withRedis = testWithPrograms('redis-server');

type PlaceOf = (server: Server) => Partial<RedisPlace>;
const toTcp: PlaceOf = ({ port }) => ({ host: '127.0.0.1', port, valueBytes: VALUE_BYTES });
const toTls: PlaceOf = ({ tlsPort }) => ({ host: '127.0.0.1', port: tlsPort, ca: secrets.cert });
const toPath: PlaceOf = ({ folder }) => ({ path: path.join(folder, 'socket') });
const CASES: readonly [string, string, boolean, PlaceOf][] = [
  ['ioredis, by the hook, over TCP', 'ioredis', false, toTcp],
  ['ioredis, by the hook, over TLS', 'ioredis', false, toTls],
  ['ioredis, by the hook, over a Unix socket', 'ioredis', false, toPath],
  ['ioredis, by its Connector', 'ioredis', true, toTcp],
  ['redis, by the hook, over TCP', 'redis', false, toTcp],
  ['redis, by the hook, over TLS', 'redis', false, toTls],
  ['redis, by the hook, over a Unix socket', 'redis', false, toPath],
];

for (const [name, client, byOption, placeOf] of CASES)
  withRedis(`${name}: pipelines, messages, and a large value`, async () => {
    server ??= startServer();
    const place = { valueBytes: LESS_BYTES, byOption, ...placeOf(await server) };
    const args = [client, JSON.stringify(place)];
    const { tripoll, ...done } = await runApp('redis', { args, isPlain: byOption });
    expect(done).toEqual({ last: 10_000, inOrder: true, valueBytes: place.valueBytes, same: true });
    // One asks, one listens.
    expect(tripoll).toEqual({ accepted: 0, connected: 2 });
  });

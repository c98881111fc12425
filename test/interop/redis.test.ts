// A real Redis with the clients `ioredis` and `redis`, whose sockets are tripoll's: by the hook, and
// by ioredis' Connector.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { packageRoot } from '../support/child.js';
import { secrets } from '../support/secrets.js';
import type { RedisPlace } from './apps/redis.js';
import { folderFor, freePort, outputOf, runApp, startProgram, testWithPrograms } from './tools.js';

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

// The example is a server of ours; these are Redis' own clients.
const withClients = testWithPrograms('redis-benchmark', 'redis-cli');

for (const [name, option] of [
  ['resp-server', '--run'],
  ['resp-server on node:net', '--node'],
] as const)
  withClients(`${name} serves redis-benchmark and redis-cli`, async () => {
    const port = await freePort();
    const file = path.join(packageRoot, 'out/examples/resp-server.js');
    const server = await startProgram(process.execPath, (output) => output.includes('redis://'), {
      args: [file, String(port), option],
    });
    const tests = ['-t', 'ping,set,get,incr,lpush,lpop,lrange_100,mset'];
    for (const pipelined of ['1', '16']) {
      const args = ['-p', String(port), '-n', '2000', '-c', '20', '-P', pipelined, '-q', ...tests];
      const said = await outputOf('redis-benchmark', { args });
      expect(said).not.toMatch(/error|warning/i);
      // Each in two forms, or with what it needs.
      expect(said.match(/ requests per second/g)).toHaveLength(10);
    }
    const ask = (...words: string[]): Promise<string> =>
      outputOf('redis-cli', { args: ['-p', String(port), ...words] });
    expect(await ask('set', 'key', 'a b')).toBe('OK\n');
    expect(await ask('get', 'key')).toBe('a b\n');
    expect(await ask('nonsense', 'x')).toContain("ERR unknown command 'nonsense'");
    expect(server.output().trimEnd()).toBe(`redis://127.0.0.1:${port}`);
    await server.stop('SIGINT');
  });

// A real PostgreSQL with the clients `pg` and `postgres`, whose sockets are tripoll's: by the hook,
// and by each client's own option.
import { once } from 'node:events';
import path from 'node:path';
import { exampleFile } from '../examples/example.js';
import { secrets } from '../support/secrets.js';
import { within } from '../support/deadline.js';
import type { PostgresPlace } from './rows.js';
import {
  folderFor,
  freePort,
  nobody,
  outputOf,
  runApp,
  runProgram,
  startApp,
  startProgram,
  testWithPrograms,
  writerIn,
  type Program,
} from './tools.js';

const COPY_BYTES = 50_000_000;
const LESS_BYTES = 5_000_000;
const PASSWORD = 'of this test only';

const withPostgres = testWithPrograms('initdb', 'postgres');

interface Cluster {
  readonly folder: string;
  readonly port: number;
}
let cluster: Cluster | undefined;
let server: Program | undefined;

async function makeCluster(): Promise<Cluster> {
  const user = nobody();
  const folder = folderFor(user);
  const write = writerIn(folder, user);
  const password = write('password', PASSWORD);
  const data = path.join(folder, 'data');
  const args = ['--no-sync', '--auth=scram-sha-256', '--username=tester', `--pwfile=${password}`];
  await outputOf('initdb', {
    args: [...args, '--encoding=UTF8', '--locale=C', `--pgdata=${data}`],
    cwd: folder,
    user,
  });
  write('key.pem', secrets.key);
  write('cert.pem', secrets.cert);
  return { folder, port: await freePort() };
}

async function startServer({ folder, port }: Cluster): Promise<Program> {
  const settings = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: folder,
    max_connections: 60,
    fsync: 'off',
    ssl: 'on',
    ssl_key_file: path.join(folder, 'key.pem'),
    ssl_cert_file: path.join(folder, 'cert.pem'),
  };
  const args = Object.entries(settings).map(([name, value]) => `--${name}=${value}`);
  return startProgram('postgres', (output) => output.includes('ready to accept connections'), {
    args: ['-D', path.join(folder, 'data'), ...args],
    cwd: folder,
    user: nobody(),
  });
}

/** The tests share a server, which the first of them starts. */
async function placeOf(more: Partial<PostgresPlace>): Promise<PostgresPlace> {
  cluster ??= await makeCluster();
  server ??= await startServer(cluster);
  const { port } = cluster;
  return {
    host: '127.0.0.1',
    port,
    user: 'tester',
    password: PASSWORD,
    database: 'postgres',
    byOption: false,
    ...more,
  };
}

const WAYS: readonly [string, boolean][] = [
  ['by the hook', false],
  ['by its own option', true],
];
const LINKS: readonly [string, number, (folder: string) => Partial<PostgresPlace>][] = [
  ['TCP', COPY_BYTES, () => ({})],
  ['TLS', LESS_BYTES, () => ({ ca: secrets.cert })],
  ['a Unix socket', LESS_BYTES, (folder) => ({ host: folder })],
];

withPostgres(
  'the client of the examples logs in by SCRAM, and is told of a wrong password',
  async () => {
    const { port } = await placeOf({});
    const ask = (password: string) => {
      const url = `postgres://tester:${encodeURIComponent(password)}@127.0.0.1:${port}/postgres`;
      const query = 'select $1::int + $2::int as sum, repeat($3, 100000) as long';
      const args = [exampleFile('postgres-on-tripoll'), url, query, '40', '2', 'x'];
      return runProgram(process.execPath, { args });
    };
    const stdout = `sum\tlong\n42\t${'x'.repeat(100_000)}\n`;
    expect(await ask(PASSWORD)).toEqual({ code: 0, stdout, stderr: '' });
    const { code, stderr } = await ask('wrong');
    expect(code).toBe(1);
    expect(stderr).toContain('(28P01)');
  },
  30_000,
);

for (const client of ['pg', 'postgres'])
  for (const [way, byOption] of WAYS) {
    for (const [link, copyBytes, partOf] of LINKS)
      withPostgres(
        `${client}, ${way}, over ${link}: queries, COPY, LISTEN and cancel`,
        async () => {
          await placeOf({});
          const place = await placeOf({ ...partOf(cluster!.folder), byOption, copyBytes });
          const args = [JSON.stringify(place)];
          const { tripoll, copied, ...done } = await runApp(client, {
            args,
            isPlain: byOption,
            deadlineMs: 60_000,
          });
          expect(done).toEqual({
            queries: 1000,
            sum: 500_500,
            heard: 100,
            inOrder: true,
            cancelled: ['57014', '57014'],
          });
          expect(copied).toMatchObject({ same: true });
          expect((copied as { bytes: number }).bytes).toBeGreaterThan(copyBytes);
          // The pool's ten, the one that listens or is cancelled, and those that cancel.
          expect(tripoll.accepted).toBe(0);
          expect(tripoll.connected).toBeGreaterThanOrEqual(12);
        },
        80_000,
      );

    withPostgres(`${client}, ${way}: its pool outlives a restart of the server`, async () => {
      const place = await placeOf({ byOption });
      const app = await startApp(client, { args: [JSON.stringify(place)], isPlain: byOption });
      const ended = once(app.program.child, 'close');
      await server!.stop('SIGINT');
      server = await startServer(cluster!);
      if (client === 'postgres') app.program.child.kill('SIGUSR2');
      await within(ended, 'queries after the restart');
      const { tripoll, ...done } = await app.stop();
      expect(done).toEqual({ after: 10 });
      expect(tripoll.connected).toBeGreaterThan(10);
    });
  }

// A real MariaDB with the client `mysql2`, whose sockets are tripoll's: by the hook, and by its
// option `stream`.
import path from 'node:path';
import { secrets } from '../support/secrets.js';
import type { MysqlPlace } from './apps/mysql2.js';
import {
  folderFor,
  freePort,
  nobody,
  outputOf,
  runApp,
  startProgram,
  testWithPrograms,
  writerIn,
} from './tools.js';

const PASSWORD = 'of this test only';

interface Server {
  readonly folder: string;
  readonly port: number;
}
let server: Promise<Server> | undefined;

async function startServer(): Promise<Server> {
  const user = nobody();
  const folder = folderFor(user);
  const write = writerIn(folder, user);
  const port = await freePort();
  const data = `--datadir=${path.join(folder, 'data')}`;
  const how = { cwd: folder, user, env: { HOME: folder } };
  await outputOf('mariadb-install-db', {
    args: ['--no-defaults', data, '--auth-root-authentication-method=normal', '--skip-test-db'],
    ...how,
  });
  const users = `create user tester identified by '${PASSWORD}'; grant all on *.* to tester;`;
  const settings = {
    port,
    'bind-address': '127.0.0.1',
    socket: path.join(folder, 'socket'),
    'pid-file': path.join(folder, 'pid'),
    'init-file': write('users.sql', users.replace('; ', ';\n')),
    'ssl-key': write('key.pem', secrets.key),
    'ssl-cert': write('cert.pem', secrets.cert),
    'max-allowed-packet': '64M',
    'innodb-flush-log-at-trx-commit': 0,
  };
  const args = Object.entries(settings).map(([name, value]) => `--${name}=${value}`);
  await startProgram('mariadbd', (output) => output.includes('ready for connections'), {
    args: ['--no-defaults', data, ...args],
    ...how,
  });
  return { folder, port };
}

const withMariadb = testWithPrograms('mariadb-install-db', 'mariadbd', 'my_print_defaults');

type PlaceOf = (server: Server) => Partial<MysqlPlace>;
const toTcp: PlaceOf = ({ port }) => ({ host: '127.0.0.1', port });
const CASES: readonly [string, boolean, PlaceOf][] = [
  ['by the hook, over TCP', false, toTcp],
  ['by the hook, over TLS', false, ({ port }) => ({ host: '127.0.0.1', port, ca: secrets.cert })],
  ['by the hook, over a Unix socket', false, ({ folder }) => ({ socketPath: path.join(folder, 'socket') })],
  ['by its own option, over TCP', true, toTcp],
  ['by its own option, over TLS', true, ({ port }) => ({ host: '127.0.0.1', port, ca: secrets.cert })],
];

for (const [name, byOption, placeOf] of CASES)
  withMariadb(
    `mysql2, ${name}: prepared statements, a large value, rows as they come`,
    async () => {
      server ??= startServer();
      const place = { user: 'tester', password: PASSWORD, byOption, ...placeOf(await server) };
      const args = [JSON.stringify(place)];
      const { tripoll, ...done } = await runApp('mysql2', { args, isPlain: byOption });
      expect(done).toEqual({
        queries: 1000,
        sum: 500_500,
        large: true,
        rows: 100_000,
        killed: { broken: 1 },
        secured: place.ca !== undefined,
      });
      expect(tripoll).toEqual({ accepted: 0, connected: 10 });
    },
    40_000,
  );

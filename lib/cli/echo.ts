// `tripoll echo`: the server of README.md.
import { once } from 'node:events';
import { listen, type TcpListener } from '../net/tcp/tcp-listener.js';
import { integer, type Output, type Values } from './arguments.js';

const MAX_PORT = 65_535;
/** What clients get to end by themselves. */
const SHUTDOWN_MS = 1000;

/** An echo server with handlers. @throws EADDRINUSE, EACCES and what else bind(2) says */
export function listenEcho(host: string, port: number): TcpListener {
  return listen(
    { host, port },
    {
      data(conn, chunk) {
        if (!conn.write(chunk)) conn.pause();
      },
      drain(conn) {
        conn.resume();
      },
      // A client that resets is no fault of the server's.
      error() {},
    },
  );
}

/** Until SIGINT or SIGTERM. */
export async function echo(values: Values, output: Output): Promise<number> {
  const port = integer(values, 'port', 0, MAX_PORT);
  const listener = listenEcho(String(values['host']), port);
  const { address, port: bound } = listener.localAddress ?? {};
  output.print(`echo on ${String(address)} port ${bound ?? port}; Ctrl-C ends it`);
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
  await listener.shutdown({ timeoutMs: SHUTDOWN_MS });
  return 0;
}

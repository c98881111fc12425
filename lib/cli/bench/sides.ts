// The two servers that `tripoll bench` compares: each in a process of its own, so that its CPU time
// is its own.
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { listenEcho } from '../echo.js';

/** What is compared. */
export type SideName = 'tripoll' | 'node:net';

const HOST = '127.0.0.1';
/** From dist/bundle/. */
const COMMAND = join(__dirname, '../../bin/tripoll.cjs');

/** What a server tells its parent. */
interface Told {
  readonly port?: number;
  readonly cpuUs?: number;
}

function listenNode(): Promise<number> {
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('data', (chunk) => {
      if (socket.write(chunk)) return;
      socket.pause();
      socket.once('drain', () => socket.resume());
    });
    socket.on('error', () => socket.destroy());
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, HOST, () => resolve((server.address() as { port: number }).port));
  });
}

/** The child: serves until its parent goes. */
export async function serve(side: string): Promise<number> {
  const port = side === 'tripoll' ? listenEcho(HOST, 0).localAddress!.port : await listenNode();
  const tell = (told: Told): void => void process.send?.(told);
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    tell({ cpuUs: user + system });
  });
  tell({ port });
  await once(process, 'disconnect');
  return 0;
}

/** The parent's end of a server. */
export class Side {
  readonly name: SideName;
  readonly port: number;
  readonly #child: ChildProcess;

  /** @throws Error when the process ends instead */
  static async start(name: SideName): Promise<Side> {
    const child = fork(COMMAND, ['bench-server', '--side', name], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const { port } = await answer(child);
    return new Side(name, port ?? 0, child);
  }

  private constructor(name: SideName, port: number, child: ChildProcess) {
    this.name = name;
    this.port = port;
    this.#child = child;
  }

  /** CPU time of all of its threads so far. */
  async cpuUs(): Promise<number> {
    const told = answer(this.#child);
    this.#child.send('usage');
    return (await told).cpuUs ?? NaN;
  }

  stop(): void {
    this.#child.kill();
  }
}

function answer(child: ChildProcess): Promise<Told> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null): void =>
      reject(Object.assign(new Error(`a server ended with ${String(code)}`), { code: 'ERR_TRIPOLL_CLOSED' }));
    child.once('exit', ended);
    child.once('error', reject);
    child.once('message', (told) => {
      child.off('exit', ended);
      child.off('error', reject);
      resolve(told as Told);
    });
  });
}

// A PostgreSQL for the benchmark: a database of its own in a temporary folder, on a free port.
import { execFileSync } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { Child } from './child.js';

const folderOfVersions = '/usr/lib/postgresql';
const user = 'bench';
const startTimeoutMs = 20_000;
const askAgainMs = 50;
/** `nobody`: PostgreSQL refuses root. */
const nobody = 65_534;

function programs(): string {
  const versions = existsSync(folderOfVersions) ? readdirSync(folderOfVersions) : [];
  const newest = versions.sort((a, b) => Number(a) - Number(b)).at(-1);
  if (newest === undefined) throw new Error('PostgreSQL is missing: apt-get install postgresql');
  return path.join(folderOfVersions, newest, 'bin');
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

export class Postgres {
  readonly #server: Child;
  readonly #folder: string;
  /** What pg finds it by. */
  readonly env: Readonly<Record<string, string>>;

  private constructor(server: Child, folder: string, port: number) {
    this.#server = server;
    this.#folder = folder;
    this.env = { PGHOST: '127.0.0.1', PGPORT: String(port), PGUSER: user, PGDATABASE: 'postgres' };
  }

  /** @param cpu the core for all its processes */
  static async start(cpu: number): Promise<Postgres> {
    const bin = programs();
    const folder = mkdtempSync(path.join(tmpdir(), 'tripoll-bench-'));
    const isRoot = process.getuid?.() === 0;
    const as = isRoot ? { uid: nobody, gid: nobody } : {};
    if (isRoot) chownSync(folder, nobody, nobody);
    const init = ['-D', folder, '-U', user, '--auth=trust', '--no-sync'];
    execFileSync(path.join(bin, 'initdb'), init, { ...as, cwd: folder, stdio: 'ignore' });
    const port = await freePort();
    const args = ['-D', folder, '-p', String(port), '-h', '127.0.0.1', '-k', folder, '-F'];
    const pinned = ['-c', String(cpu), path.join(bin, 'postgres'), ...args];
    const server = new Child('postgres', 'taskset', pinned, process.env, { ...as, cwd: folder });
    const postgres = new Postgres(server, folder, port);
    await postgres.#awaitReady(path.join(bin, 'pg_isready'), port);
    return postgres;
  }

  async #awaitReady(isReady: string, port: number): Promise<void> {
    const deadline = performance.now() + startTimeoutMs;
    for (;;) {
      try {
        execFileSync(isReady, ['-h', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' });
        return;
      } catch (error) {
        if (this.#server.failure !== null) throw this.#server.failure;
        if (performance.now() > deadline) throw error;
      }
      await setTimeout(askAgainMs);
    }
  }

  async stop(): Promise<void> {
    await this.#server.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

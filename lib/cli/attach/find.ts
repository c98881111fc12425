// Which processes can be looked at, and which one is meant.
import { readdirSync, statSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { foldersOf, ownUid } from '../../observe/server/places.js';
import { UsageError } from '../arguments.js';
import { Client } from './client.js';

const FILE_NAME = /^(\d+)(?:-\d+)?\.sock$/;
const NUMBER = /^\d+(?:-\d+)?$/;

/** One that listens. */
export interface Found {
  /** Its number, and that of its thread if it is not the main one: what the user types. */
  readonly name: string;
  readonly path: string;
  /** Null when it does not answer. */
  readonly client: Client | null;
}

function socketsIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => FILE_NAME.test(name));
  } catch {
    return [];
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/** What a process that was killed has left behind. */
function removeStale(path: string, pid: number): void {
  if (isAlive(pid)) return;
  try {
    unlinkSync(path);
  } catch {
    // Another was faster.
  }
}

async function tryOne(folder: string, file: string, deadlineMs?: number): Promise<Found | null> {
  const path = join(folder, file);
  const name = file.slice(0, -'.sock'.length);
  try {
    return { name, path, client: await Client.connect(path, deadlineMs) };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ECONNREFUSED') removeStale(path, Number.parseInt(name, 10));
    return code === 'ETIMEDOUT' ? { name, path, client: null } : null;
  }
}

/** All that listen in those folders. */
export async function findAll(folders: readonly string[], deadlineMs?: number): Promise<Found[]> {
  const tried = folders.flatMap((folder) =>
    socketsIn(folder).map((file) => tryOne(folder, file, deadlineMs)),
  );
  const found = (await Promise.all(tried)).filter((each) => each !== null);
  return found.sort((one, other) => (one.name < other.name ? -1 : 1));
}

/** Of the user of a process: root may look into those of others. */
function uidOf(pid: number): number {
  return statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid ?? ownUid();
}

function pathOf(name: string, given: readonly string[] | undefined): string {
  const pid = Number.parseInt(name, 10);
  const folders = given ?? foldersOf(uidOf(pid));
  const found = folders.find((folder) => socketsIn(folder).includes(`${name}.sock`));
  if (found !== undefined) return join(found, `${name}.sock`);
  const message = isAlive(pid)
    ? `process ${name} has no ObserveServer where it is looked for: ${folders.join(', ')}`
    : `there is no process ${pid}`;
  throw Object.assign(new Error(message), { code: 'ENOENT' });
}

/** What is printed when it must be said which. */
export function describeAll(all: readonly Found[]): string {
  const lines = all.map(({ name, client }) => {
    const what =
      client === null ? 'does not answer' : `${client.greeting.runtime}  ${client.greeting.program}`;
    return `  ${name.padEnd(10)}  ${printable(what)}`;
  });
  return `these can be looked at:\n${lines.join('\n')}`;
}

/** What a process says may be anything, and a terminal obeys some of it. */
export function printable(text: string): string {
  // eslint-disable-next-line no-control-regex -- it is what it looks for
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e]/g, '?');
}

/**
 * The process that is meant: by its number, by the path of its socket, or the only one there is.
 *
 * @throws (as rejection) UsageError when it must be said which; ENOENT when there is none; what
 * `Client.connect` does
 * @param folders for tests: where to look
 */
export async function attachToProcess(
  target: string | undefined,
  folders?: readonly string[],
): Promise<Client> {
  if (target !== undefined) return Client.connect(NUMBER.test(target) ? pathOf(target, folders) : target);
  const places = folders ?? foldersOf(ownUid());
  const all = await findAll(places);
  const [only, ...more] = all;
  if (only === undefined) {
    const message = `no process of this user's has an ObserveServer (docs/observe.md); looked in ${places.join(', ')}`;
    throw Object.assign(new Error(message), { code: 'ENOENT' });
  }
  if (more.length === 0) return only.client ?? Client.connect(only.path);
  for (const { client } of all) client?.close();
  throw new UsageError(`say which: ${describeAll(all)}`);
}

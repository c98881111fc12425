// What the apps for PostgreSQL do alike: their clients differ in how they are asked.
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { newHash } from './body.js';
import { report } from './report.js';
import { rowsOf } from './rows.js';

type Row = Readonly<Record<string, unknown>>;
type Report = Readonly<Record<string, unknown>>;

/** A thousand questions at once, with parameters of all kinds; the answers are looked at. */
export async function askMany(
  ask: (i: number, name: string, bytes: Buffer) => PromiseLike<readonly Row[]>,
): Promise<Report> {
  const names = Array.from({ length: 1000 }, (_, i) => `é${'x'.repeat(i)}`);
  const answers = await Promise.all(names.map((name, i) => ask(i, name, Buffer.alloc(i, i))));
  let sum = 0;
  for (const [i, rows] of answers.entries()) {
    const { next, name, bytes, document } = rows[0]!;
    if (name !== names[i] || !Buffer.alloc(i, i).equals(bytes as Buffer)) throw new Error(`answer ${i}`);
    if ((document as { i: number }).i !== i) throw new Error(`document ${i}`);
    sum += next as number;
  }
  return { queries: answers.length, sum };
}

/** Copies rows in, and out again. */
export async function copyRows(
  lengthBytes: number,
  input: () => Writable | Promise<Writable>,
  output: () => Readable | Promise<Readable>,
): Promise<Report> {
  const hashIn = newHash();
  await pipeline(Readable.from(rowsOf(lengthBytes, hashIn)), await input());
  const hashOut = newHash();
  let bytes = 0;
  for await (const chunk of await output()) {
    bytes += (chunk as Buffer).length;
    hashOut.update(chunk as Buffer);
  }
  return { bytes, same: hashIn.digest('hex') === hashOut.digest('hex') };
}

/** A hundred notifications, up to nearly 7 KB each. */
export async function hearAll(
  listen: (heard: (payload: string) => void) => Promise<unknown>,
  notify: (payload: string) => Promise<unknown>,
): Promise<Report> {
  const heard: string[] = [];
  let isAll!: () => void;
  const all = new Promise<void>((resolve) => {
    isAll = resolve;
  });
  await listen((payload) => {
    if (heard.push(payload) === 100) isAll();
  });
  const payload = (i: number): string => `${i} ${'n'.repeat(i * 70)}`;
  for (let i = 0; i < 100; i++) await notify(payload(i));
  await all;
  return { heard: heard.length, inOrder: heard.every((text, i) => text === payload(i)) };
}

/** What an app can do. */
interface Tasks {
  askParametrised(): Promise<Report>;
  listen(): Promise<Report>;
  cancel(): Promise<readonly unknown[]>;
  copyInAndOut(lengthBytes: number): Promise<Report>;
  /** Asks until the server has gone and come again. */
  outlive(): Promise<Report>;
  end(): Promise<void>;
}

/** All of it, with so many bytes; without them it outlives the server. */
export async function work(copyBytes: number | undefined, tasks: Tasks): Promise<void> {
  const done =
    copyBytes === undefined
      ? await tasks.outlive()
      : {
          ...(await tasks.askParametrised()),
          ...(await tasks.listen()),
          cancelled: await tasks.cancel(),
          copied: await tasks.copyInAndOut(copyBytes),
        };
  await tasks.end();
  report(done);
}

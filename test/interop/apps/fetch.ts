// `fetch` of Node and of undici, against http-server.ts: `node fetch.js node|undici ORIGIN PORT`, of
// which the last is nobody's.
import { report } from '../report.js';
import { Readable } from 'node:stream';
import { bodyOf, newHash } from '../body.js';
import { load } from '../packages.js';

interface Undici {
  fetch: typeof fetch;
  Agent: new (options: object) => unknown;
  setGlobalDispatcher(agent: unknown): void;
}

const [, , whose, origin = '', unused = ''] = process.argv;
let ask = fetch;
if (whose === 'undici') {
  const undici = load<Undici>('undici');
  undici.setGlobalDispatcher(
    new undici.Agent({ connections: 4, pipelining: 1, connect: { rejectUnauthorized: false } }),
  );
  ask = undici.fetch;
}

const SIZES_BYTES = [0, 1, 65_537, 20_000_000];

async function hashOf(body: AsyncIterable<Uint8Array> | null): Promise<string> {
  const hash = newHash();
  if (body !== null) for await (const chunk of body) hash.update(chunk);
  return hash.digest('hex');
}

/** Of bodies down, by their size. */
async function download(query: string): Promise<string[]> {
  const hashes: string[] = [];
  for (const size of SIZES_BYTES)
    hashes.push(await hashOf((await ask(`${origin}/bytes/${size}${query}`)).body));
  return hashes;
}

/** What the server says of bodies up, whole and as streams. */
async function upload(makeBody: (size: number) => unknown): Promise<unknown[]> {
  const answers: unknown[] = [];
  for (const size of SIZES_BYTES) {
    const init = { method: 'POST', body: makeBody(size), duplex: 'half' } as RequestInit;
    answers.push(await (await ask(`${origin}/hash`, init)).json());
  }
  return answers;
}

/** Many at once, of which none gets another's answer. */
async function askAtOnce(): Promise<boolean> {
  const sizes = Array.from({ length: 100 }, (_value, i) => i);
  const texts = await Promise.all(
    sizes.map(async (size) => (await (await ask(`${origin}/bytes/${size}`)).arrayBuffer()).byteLength),
  );
  return texts.every((length, i) => length === i);
}

/** Breaks off in the middle of a body; resolves with the error's name. */
async function breakOff(): Promise<string> {
  const controller = new AbortController();
  const { body } = await ask(`${origin}/bytes/100000000`, { signal: controller.signal });
  try {
    for await (const chunk of body as unknown as AsyncIterable<Uint8Array>)
      if (chunk.length > 0) controller.abort();
    return 'none';
  } catch (error) {
    return (error as Error).name;
  }
}

async function refused(): Promise<string> {
  try {
    await ask(`http://127.0.0.1:${unused}/`);
    return 'none';
  } catch (error) {
    return ((error as Error).cause as NodeJS.ErrnoException).code ?? '';
  }
}

async function main(): Promise<void> {
  const known = await download('');
  const chunked = await download('?chunked');
  const whole = await upload((size) => Buffer.concat([...bodyOf(size)]));
  const streamed = await upload((size) => Readable.toWeb(Readable.from(bodyOf(size))));
  const atOnce = await askAtOnce();
  report({ known, chunked, whole, streamed, atOnce, brokenOff: await breakOff(), refused: await refused() });
  // Its kept connections would live some seconds more.
  process.exit();
}

void main();

// The programs of docs/node.md that give tripoll's sockets to others, as they stand there, without
// the hook.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { packageRoot } from '../support/child.js';
import { freePort, outputOf, runProgram, startApp, startProgram } from './tools.js';

const HEADING = '## Clients and frameworks of the web\n';
const page = readFileSync(path.join(packageRoot, 'docs/node.md'), 'utf8');
const [section = ''] = page.slice(page.indexOf(HEADING) + HEADING.length).split('\n## ');
const programs = [...section.matchAll(/```js\n(.*?)```/gs)].map(([, text]) => text!);
// Of this package: there its own name is known.
const folder = path.join(packageRoot, 'out/test/interop/glue');

/** Counts what tripoll connects and accepts, and says it at the end. */
const COUNTER = `
const { subscribe } = require('node:diagnostics_channel');
const seen = { accepted: 0, connected: 0 };
subscribe('tripoll.net.server.socket', () => seen.accepted++);
subscribe('tripoll.net.client.socket', () => seen.connected++);
process.on('exit', () => process.stderr.write(JSON.stringify(seen)));
process.once('SIGTERM', () => process.exit(0));
`;

/** The program that has these words, with its places replaced. */
function programWith(words: string, places: Readonly<Record<string, string>>): string {
  const found = programs.filter((text) => text.includes(words));
  expect(found).toHaveLength(1);
  let text = found[0]!;
  for (const [from, to] of Object.entries(places)) {
    expect(text).toContain(from);
    text = text.replaceAll(from, to);
  }
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, `${words.replace(/\W+/g, '-')}.cjs`);
  writeFileSync(file, COUNTER + text);
  return file;
}

const env = { NODE_TLS_REJECT_UNAUTHORIZED: '0', NODE_NO_WARNINGS: '1' };
const { execPath } = process;

test('each program is tried', () => {
  expect(programs).toHaveLength(4);
});

test.each([
  ['http', 'new http.Agent', 'http://127.0.0.1:8080'],
  ['https', 'extends https.Agent', 'https://127.0.0.1:8443'],
  ['http', 'new Agent({ connect: connector })', 'http://127.0.0.1:8080'],
  ['https', 'new Agent({ connect: connector })', 'http://127.0.0.1:8080'],
])('over %s: %s', async (kind, words, origin) => {
  const server = await startApp('http-server', { args: [kind], isPlain: true });
  const file = programWith(words, { [origin]: `${kind}://127.0.0.1:${server.ready.port}` });
  const result = await runProgram(execPath, { args: [file], env });
  expect(result).toMatchObject({ code: 0, stdout: 'hello\n' });
  expect(JSON.parse(result.stderr)).toEqual({ accepted: 0, connected: 1 });
});

test('fastify', async () => {
  const port = await freePort();
  const file = programWith('serverFactory', { '8080': String(port) });
  const url = `http://127.0.0.1:${port}/`;
  const isReady = (): Promise<boolean> =>
    fetch(url).then(
      (response) => response.ok,
      () => false,
    );
  const app = await startProgram(execPath, isReady, { args: [file], env });
  expect(JSON.parse(await outputOf('curl', { args: ['-sS', url] }))).toEqual({ hello: 'world' });
  await app.stop();
  const { accepted } = JSON.parse(app.output()) as { accepted: number };
  expect(accepted).toBeGreaterThanOrEqual(2);
});

// wrk and h2load against Node's servers on tripoll's sockets: every answer whole, none missing.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { bodyOf } from './body.js';
import { folderFor, outputOf, startApp, testWithPrograms, type Report } from './tools.js';

const folder = folderFor();

/** The server's report, after `load` has run against its port. */
async function serve(kind: string, load: (port: number) => Promise<void>): Promise<Report> {
  const app = await startApp('http-server', { args: [kind] });
  await load(app.ready.port);
  return app.stop();
}

interface Asked {
  readonly path: string;
  /** Of every answer. */
  readonly lengthBytes: number;
  /** Requests that are sent at once, before the first answer. */
  readonly pipelined?: number;
}

/** What wrk has counted by a script of its own: answers, and those that were not as they should be. */
async function runWrk(origin: string, { path: route, lengthBytes, pipelined = 1 }: Asked): Promise<number> {
  const script = path.join(folder, 'check.lua');
  writeFileSync(
    script,
    `local all = {}
    function init() for i = 1, ${pipelined} do all[i] = wrk.format("GET", "${route}") end all = table.concat(all) end
    function request() return all end
    answers, wrong = 0, 0
    function response(status, headers, body)
      answers = answers + 1
      if status ~= 200 or #body ~= ${lengthBytes} then wrong = wrong + 1 end
    end
    local threads = {}
    function setup(thread) table.insert(threads, thread) end
    function done(summary)
      for _, thread in ipairs(threads) do
        print("checked " .. thread:get("answers") .. " wrong " .. thread:get("wrong"))
      end
    end`,
  );
  const args = ['--threads', '1', '--connections', '20', '--duration', '1', '--script', script, origin];
  const text = await outputOf('wrk', { args });
  expect(text).not.toMatch(/Socket errors|Non-2xx/);
  const [, answers, wrong] = /checked (\d+) wrong (\d+)/.exec(text) ?? [];
  expect([text, Number(wrong)]).toEqual([text, 0]);
  return Number(answers);
}

const withWrk = testWithPrograms('wrk');

describe.each([
  ['http', 'http'],
  ['https', 'https'],
])('wrk, %s', (kind, scheme) => {
  const ASKED: Record<string, Asked> = {
    'small answers': { path: '/', lengthBytes: 6 },
    'answers of 100 kB': { path: '/bytes/100000', lengthBytes: 100_000 },
    'chunked answers': { path: '/bytes/100000?chunked', lengthBytes: 100_000 },
    'sixteen requests at once': { path: '/bytes/10', lengthBytes: 10, pipelined: 16 },
  };
  for (const [name, asked] of Object.entries(ASKED)) {
    withWrk(`${name}, by twenty connections that are kept`, async () => {
      let answers = 0;
      const seen = await serve(kind, async (port) => {
        answers = await runWrk(`${scheme}://127.0.0.1:${port}`, asked);
      });
      expect(answers).toBeGreaterThan(100);
      expect(seen['requests']).toBeGreaterThanOrEqual(answers);
      // wrk makes one more at first, to see whether it can.
      expect([20, 21]).toContain(seen.tripoll.accepted);
    });
  }
});

const withH2load = testWithPrograms('h2load');

/** Runs h2load; expects all requests to have succeeded, with so many bytes of bodies. */
async function runH2load(args: readonly string[], requests: number, lengthBytes: number): Promise<void> {
  const text = await outputOf('h2load', { args: ['--requests', String(requests), ...args] });
  const all = `requests: ${requests} total, ${requests} started, ${requests} done, ${requests} succeeded, 0 failed, 0 errored, 0 timeout`;
  expect(text).toContain(all);
  expect(text).toContain(`status codes: ${requests} 2xx, 0 3xx, 0 4xx, 0 5xx`);
  expect(text).toContain(`(${requests * lengthBytes}) data`);
}

describe.each([
  ['h2', 'https', []],
  ['h2c', 'http', ['--no-tls-proto=h2c']],
  ['https', 'https', ['--h1']],
  ['http', 'http', ['--h1']],
])('h2load, %s', (kind, scheme, flags) => {
  const streams = flags.includes('--h1') ? ['--max-concurrent-streams=1'] : ['--max-concurrent-streams=20'];

  withH2load('small answers, twenty streams of each of ten connections', async () => {
    const { tripoll, requests } = await serve(kind, (port) =>
      runH2load(['--clients=10', ...streams, ...flags, `${scheme}://127.0.0.1:${port}/bytes/100`], 2000, 100),
    );
    expect({ tripoll, requests }).toEqual({ tripoll: { accepted: 10, connected: 0 }, requests: 2000 });
  });

  withH2load('answers of 5 MB side by side', async () => {
    const { requests } = await serve(kind, (port) =>
      runH2load(
        ['--clients=4', ...streams, ...flags, `${scheme}://127.0.0.1:${port}/bytes/5000000`],
        20,
        5_000_000,
      ),
    );
    expect(requests).toBe(20);
  });

  withH2load('bodies of 1 MB up', async () => {
    const file = path.join(folder, 'body');
    writeFileSync(file, Buffer.concat([...bodyOf(1_000_000)]));
    const { requests } = await serve(kind, (port) =>
      runH2load(
        ['--clients=4', ...streams, ...flags, `--data=${file}`, `${scheme}://127.0.0.1:${port}/echo`],
        40,
        1_000_000,
      ),
    );
    expect(requests).toBe(40);
  });
});

// `tripoll top`: what a process that has opted in is doing, again and again.
import { once } from 'node:events';
import { attachToProcess } from '../attach/find.js';
import type { Client } from '../attach/client.js';
import type { Snapshot } from '../../observe/server/protocol.js';
import { integer, type Output, type Values } from '../arguments.js';
import { toRates } from './rates.js';
import { describeRates } from './table.js';

const MS_PER_SECOND = 1000;
const MAX_INTERVAL_SECONDS = 3600;
/** An answer takes some milliseconds: what has not come then is held up. */
const PATIENCE_MS = 1000;
/** The cursor to the first column of the first line; the rest of a line, and of the screen, is erased. */
const [HOME, REST_OF_LINE, REST_OF_SCREEN] = ['\x1b[H', '\x1b[K', '\x1b[J'];

function show(lines: readonly string[], output: Output): void {
  const rows = output.rows?.();
  if (rows === undefined) {
    output.print(`${lines.join('\n')}\n`);
    return;
  }
  // One line stays for the cursor: else the screen scrolls.
  const shown = lines.slice(0, Math.max(1, rows - 1));
  output.print(HOME + shown.map((line) => line + REST_OF_LINE).join('\n') + REST_OF_SCREEN);
}

/** Says that there is no answer, as long as there is none. */
async function patiently(client: Client, output: Output, asJson: boolean): Promise<Snapshot> {
  const startMs = Date.now();
  const timer = setInterval(() => {
    const seconds = Math.round((Date.now() - startMs) / MS_PER_SECOND);
    const { pid } = client.greeting;
    const text = `process ${pid} has not answered for ${seconds} s: its thread is held up`;
    if (asJson) output.complain(text);
    else show([text], output);
  }, PATIENCE_MS);
  try {
    return await client.metrics();
  } finally {
    clearInterval(timer);
  }
}

async function watch(client: Client, values: Values, output: Output): Promise<void> {
  const intervalMs = integer(values, 'interval', 1, MAX_INTERVAL_SECONDS) * MS_PER_SECOND;
  const { once: isOnce = false, json: asJson = false } = values as { once?: boolean; json?: boolean };
  let before = await patiently(client, output, asJson);
  for (;;) {
    await client.pause(intervalMs);
    const now = await patiently(client, output, asJson);
    const rates = toRates(client.greeting, before, now);
    if (asJson) output.print(JSON.stringify(rates));
    else show(describeRates(rates), output);
    if (isOnce) return;
    before = now;
  }
}

/** Until SIGINT or SIGTERM, or until the process has ended. */
export async function top(values: Values, output: Output): Promise<number> {
  // Wrong ones are told before anybody is asked.
  integer(values, 'interval', 1, MAX_INTERVAL_SECONDS);
  const client = await attachToProcess(values['process'] as string | undefined);
  const stop = new AbortController();
  const signals = ['SIGINT', 'SIGTERM'].map((name) => once(process, name, { signal: stop.signal }));
  try {
    await Promise.race([watch(client, values, output), ...signals]);
    return 0;
  } finally {
    stop.abort();
    client.close();
  }
}

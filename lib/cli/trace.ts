// `tripoll trace`: what a process that has opted in does, for some seconds, as a file for Perfetto.
import { writeFileSync } from 'node:fs';
import { MAX_TRACE_SECONDS } from '../observe/server/protocol.js';
import { toChromeTrace } from '../observe/recorder/chrome-trace.js';
import { attachToProcess } from './attach/find.js';
import { integer, UsageError, type Output, type Values } from './arguments.js';

/** Writes the file. */
export async function trace(values: Values, output: Output): Promise<number> {
  const seconds = integer(values, 'seconds', 1, MAX_TRACE_SECONDS);
  const file = String(values['output']);
  if (file === '') throw new UsageError('--output must be the name of a file');
  const client = await attachToProcess(values['process'] as string | undefined);
  try {
    const { pid } = client.greeting;
    const { traceEvents, ...rest } = toChromeTrace(await client.trace(seconds), pid);
    writeFileSync(file, JSON.stringify({ traceEvents, ...rest }));
    const { lostEvents } = rest.otherData;
    const lost = lostEvents === 0 ? '' : `; ${lostEvents} older ones had no room`;
    output.print(`${traceEvents.length} events of process ${pid}${lost}: ${file}`);
    output.print('open it at https://ui.perfetto.dev');
    return 0;
  } finally {
    client.close();
  }
}

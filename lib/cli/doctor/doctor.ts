// `tripoll doctor`: each capability is probed by doing it, each limit read.
import { describeHost, openFilesLimit } from '../../binding/host.js';
import type { Output, Values } from '../arguments.js';
import { describeChecks, type Check } from './check.js';
import { linuxLimits, openFiles } from './limits.js';
import { probeAll } from './probes.js';
import { readFile } from './proc.js';

/** What the addon can do here, or why it cannot be loaded: with the first probe it is. */
async function probe(): Promise<Check[]> {
  try {
    return await probeAll();
  } catch (error) {
    const { message, code } = error as Error & { code?: unknown };
    if (code !== 'ERR_TRIPOLL_NO_ADDON') throw error;
    const [found = '', ...advice] = message.split('\n');
    return [
      {
        group: 'addon',
        name: 'loaded',
        verdict: 'failed',
        found,
        advice: advice.map((line) => line.trim()).join('\n'),
      },
    ];
  }
}

/** 1 when something fails that should work. */
export async function doctor(values: Values, output: Output): Promise<number> {
  const host = describeHost();
  const limits = host.platform.startsWith('linux-')
    ? linuxLimits(readFile, host)
    : openFiles(openFilesLimit());
  const checks = [...(await probe()), ...limits];
  if (values['json'] === true) output.print(JSON.stringify({ ...host, checks }, null, 2));
  else {
    output.print(`${host.runtime} on ${host.platform}, kernel ${host.release}, ${host.cores} cores\n`);
    output.print(describeChecks(checks));
  }
  return checks.some(({ verdict }) => verdict === 'failed') ? 1 : 0;
}

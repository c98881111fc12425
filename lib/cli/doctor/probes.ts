import { probe } from './probe.js';
import { pollerProbes } from './probe-pollers.js';
import { socketProbes } from './probe-sockets.js';
import type { Check } from './check.js';

/** All probes, one after the other. @throws ERR_TRIPOLL_NO_ADDON, before any */
export async function probeAll(): Promise<Check[]> {
  const checks: Check[] = [];
  for (const each of [...pollerProbes(), ...socketProbes()]) checks.push(await probe(each));
  return checks;
}

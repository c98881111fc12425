import type { TraceEvent } from './trace-event.js';

/** The spawn of a task, or its call. */
export interface SpawnedTask {
  /** 0: only its own thread knows it. */
  readonly id: number;
  /** The span of it. */
  readonly event: Pick<TraceEvent, 'ts' | 'pid' | 'tid'>;
}

/**
 * Two threads read their clocks so much apart at most; the id of a task comes again after 32,768
 * others, which take longer.
 */
const CLOCK_ERROR_US = 1000;

function byId(tasks: readonly SpawnedTask[]): Map<number, SpawnedTask[]> {
  const found = new Map<number, SpawnedTask[]>();
  for (const task of tasks) {
    const others = found.get(task.id);
    if (others === undefined) found.set(task.id, [task]);
    else others.push(task);
  }
  for (const each of found.values()) each.sort((one, other) => one.event.ts - other.event.ts);
  return found;
}

/** Adds an arrow from each spawn to the call of the task, where both are known. */
export function addFlows(
  events: TraceEvent[],
  spawns: readonly SpawnedTask[],
  calls: readonly SpawnedTask[],
): void {
  const spawnsById = byId(spawns);
  let flow = 0;
  for (const [id, called] of byId(calls)) {
    const spawned = id === 0 ? undefined : spawnsById.get(id);
    if (spawned === undefined) continue;
    let next = 0;
    for (const { event: call } of called) {
      let spawn: SpawnedTask['event'] | null = null;
      while (next < spawned.length && spawned[next]!.event.ts <= call.ts + CLOCK_ERROR_US)
        spawn = spawned[next++]!.event;
      // One that was called a second time, or spawned before what is left in the ring.
      if (spawn === null) continue;
      const common = { name: 'spawned', cat: 'flow', id: String(++flow) };
      events.push({ ...pick(spawn), ...common, ph: 's' }, { ...pick(call), ...common, ph: 'f', bp: 'e' });
    }
  }
}

type Place = SpawnedTask['event'];
const pick = ({ ts, pid, tid }: Place): Place => ({ ts, pid, tid });

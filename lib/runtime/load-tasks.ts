import type { TaskFunction } from './executor.js';

/** The functions that an entry exports, in the order of their names. */
export async function loadTasks(entry: string): Promise<{ names: string[]; tasks: TaskFunction[] }> {
  const module = (await import(entry)) as Record<string, unknown>;
  const exported = new Map<string, TaskFunction>();
  // Of a CommonJS module Node sees not all names; the default is the whole of it.
  const whole = module['default'];
  const sources = typeof whole === 'object' && whole !== null ? [whole, module] : [module];
  for (const source of sources) {
    for (const [name, value] of Object.entries(source))
      if (typeof value === 'function') exported.set(name, value as TaskFunction);
  }
  const names = [...exported.keys()].sort();
  return { names, tasks: names.map((name) => exported.get(name)!) };
}

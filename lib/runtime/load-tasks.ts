import type { TaskFunction } from './executor.js';

/** What an entry exports. */
export interface Entry {
  /** Its functions, in the order of their names. */
  readonly tasks: ReadonlyMap<string, TaskFunction>;
  /** Its objects: handlers of connections, perhaps. */
  readonly objects: ReadonlyMap<string, object>;
}

export async function loadEntry(entry: string): Promise<Entry> {
  const module = (await import(entry)) as Record<string, unknown>;
  const functions: [string, TaskFunction][] = [];
  const objects = new Map<string, object>();
  // Of a CommonJS module Node sees not all names; the default is the whole of it.
  const whole = module['default'];
  const sources = typeof whole === 'object' && whole !== null ? [whole, module] : [module];
  for (const source of sources) {
    for (const [name, value] of Object.entries(source)) {
      if (typeof value === 'function') functions.push([name, value as TaskFunction]);
      else if (typeof value === 'object' && value !== null) objects.set(name, value as object);
    }
  }
  functions.sort(([a], [b]) => (a < b ? -1 : Number(a > b)));
  return { tasks: new Map(functions), objects };
}

import { slowness } from './platform.js';

/** Rejects when `promise` takes longer: a test that would hang fails with a sentence instead. */
export async function within<T>(promise: Promise<T>, what: string, deadlineMs = 10_000): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new Error(`${what}: not within ${deadlineMs} ms`)),
      deadlineMs * slowness,
    );
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Asks again in each turn of Node's loop until it is so. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  deadlineMs = 10_000,
): Promise<void> {
  const end = performance.now() + deadlineMs * slowness;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`${what}: not within ${deadlineMs} ms`);
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}

/** The same for code that must not leave this turn. */
export function untilSync(condition: () => boolean, what: string, deadlineMs = 10_000): void {
  const end = performance.now() + deadlineMs * slowness;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`${what}: not within ${deadlineMs} ms`);
  }
}

export interface Coded {
  name: string;
  code: string | undefined;
  errno?: number | undefined;
  syscall?: string | undefined;
}

/**
 * What `call` throws, in the fields that are stable. Not by instanceof: Jest has realms of its own.
 */
export function thrownBy(call: () => unknown): Coded {
  try {
    call();
  } catch (error) {
    const { name, code, errno, syscall } = error as NodeJS.ErrnoException;
    return {
      name,
      code,
      ...(errno === undefined ? {} : { errno }),
      ...(syscall === undefined ? {} : { syscall }),
    };
  }
  throw new Error('nothing was thrown');
}

export const invalidType = { name: 'TypeError', code: 'ERR_TRIPOLL_INVALID_ARG_TYPE' };
export const outOfRange = { name: 'RangeError', code: 'ERR_TRIPOLL_OUT_OF_RANGE' };
export const state = { name: 'Error', code: 'ERR_TRIPOLL_STATE' };
export const unsupported = { name: 'Error', code: 'ERR_TRIPOLL_UNSUPPORTED' };
export const timedOut = { name: 'TimeoutError', code: 'ERR_TRIPOLL_TIMEOUT' };
export const closed = { name: 'Error', code: 'ERR_TRIPOLL_CLOSED' };

/** What `promise` is rejected with. */
export async function rejectionOf(promise: PromiseLike<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}

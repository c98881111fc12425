import { ENOTSUP } from '../binding/errnos.js';
import { capabilities, type DriverName } from '../binding/capabilities.js';
import { invalidArgType, outOfRange, systemError, unsupportedError } from '../binding/errors.js';
import { setImmediate } from '../binding/host-clock.js';
import { native } from '../binding/native.js';
import type { Poller } from '../poller/poller.js';

/** Brings batches to the reactor without being asked. */
export interface Driver {
  /** Whether it keeps the process alive. It starts unref'd. */
  ref(): void;
  unref(): void;
  /** Returns how many events it had taken and not brought: they are still in the poller's batch. */
  close(): number;
}

const HOLD_BATCH = native.layout['holdBatch'];
const KNOWN_DRIVERS: readonly string[] = ['nested', 'watcher', 'manual'];

export function chooseDriver(asked: string | undefined, backend: string): DriverName {
  if (asked !== undefined && typeof asked !== 'string') throw invalidArgType('driver', 'a string', asked);
  const canNest = capabilities.drivers.includes('nested') && backend === 'epoll';
  const name = asked ?? (canNest ? 'nested' : 'watcher');
  if (!KNOWN_DRIVERS.includes(name)) throw outOfRange('driver', `one of ${KNOWN_DRIVERS.join(', ')}`, name);
  if (name === 'nested' && !canNest) {
    throw unsupportedError(
      `driver nested needs the epoll backend under Node; here are backend ${backend} and runtime ${capabilities.runtime}`,
    );
  }
  return name as DriverName;
}

/** What `run()` uses instead of the reactor's own driver. */
export type RunDriverName = 'inverted' | 'immediate';

/** The nested, the watcher or the inverted driver, all of native code: see docs/architecture.md. */
export function startDriver(
  name: 'nested' | 'watcher' | 'inverted',
  poller: Poller,
  onBatch: (count: number) => void,
): Driver {
  const { index } = poller;
  const release = () => void native.driverRelease(index);
  const error = native.driverStart(index, name, (count) => {
    // When the runtime's loop has come round (T47). It is ref'd, so that nothing else has to end
    // that loop's wait.
    if (count === HOLD_BATCH) setImmediate(release);
    else onBatch(count);
  });
  if (error === ENOTSUP) throw unsupportedError(`driver ${name} does not work in this process`);
  if (error < 0) throw systemError(error, `start ${name} driver`);
  return {
    ref: () => native.driverRef(index),
    unref: () => native.driverUnref(index),
    close: () => native.driverClose(index),
  };
}

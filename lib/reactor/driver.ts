import { capabilities, type DriverName } from '../binding/capabilities.js';
import { errnoOf, outOfRange, systemError, unsupportedError } from '../binding/errors.js';
import { native } from '../binding/native.js';
import type { Poller } from '../poller/poller.js';

/** Brings batches to the reactor without being asked. */
export interface Driver {
  /** Whether it keeps the process alive. It starts unref'd. */
  ref(): void;
  unref(): void;
  close(): void;
}

const KNOWN_DRIVERS: readonly string[] = ['nested', 'watcher', 'manual'];

export function chooseDriver(asked: string | undefined, backend: string): DriverName {
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

/** The nested or the watcher driver, both of native code: see docs/architecture.md. */
export function startDriver(name: 'nested' | 'watcher', poller: Poller, onBatch: (count: number) => void): Driver {
  const { index } = poller;
  const error = native.driverStart(index, name, onBatch);
  if (error === errnoOf('ENOTSUP')) throw unsupportedError(`driver ${name} does not work in this process`);
  if (error < 0) throw systemError(error, `start ${name} driver`);
  return {
    ref: () => native.driverRef(index),
    unref: () => native.driverUnref(index),
    close: () => native.driverClose(index),
  };
}

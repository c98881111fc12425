import { closedError, invalidArgType } from '../binding/errors.js';
import { Reactor } from './reactor.js';

/**
 * The reactor of an option.
 *
 * @throws TypeError; ERR_TRIPOLL_CLOSED
 */
export function chooseReactor(option: Reactor | undefined): Reactor {
  const reactor = option ?? Reactor.default;
  // Not by instanceof: see errors.ts.
  if (typeof (reactor as Partial<Reactor>).registry !== 'object') {
    throw invalidArgType('reactor', 'a Reactor', option);
  }
  if (reactor.closed) throw closedError('Reactor');
  return reactor;
}

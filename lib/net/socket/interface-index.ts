import { invalidArgType, outOfRange, systemError } from '../../binding/errors.js';
import { nativeUdp } from '../../binding/native-udp.js';
import { checkInteger } from '../../binding/validate.js';

const MAX_INDEX = 0x7fffffff;

/**
 * The number of a network interface.
 *
 * @param chosen its name, in the network namespace of this thread, or its number, which is taken as it is
 * @throws TypeError, RangeError; ENODEV for a name that no interface has
 */
export function interfaceIndexOf(chosen: unknown): number {
  if (typeof chosen === 'number') {
    checkInteger('interface', chosen, 0, MAX_INDEX);
    return chosen;
  }
  if (typeof chosen !== 'string') throw invalidArgType('interface', 'a name or a number', chosen);
  // What follows a NUL would be lost without a word.
  if (chosen === '' || chosen.includes('\0')) throw outOfRange('interface', 'a name without a NUL', chosen);
  const index = nativeUdp.interfaceIndex(chosen);
  if (index < 0) throw systemError(index, 'if_nametoindex', { address: chosen });
  return index;
}

import { invalidArgType, outOfRange, systemError } from '../binding/errors.js';
import { native } from '../binding/native.js';
import { checkInteger } from '../binding/validate.js';

const MAX_INDEX = 0x7fffffff;
/**
 * What no system takes as a name, but people write by mistake: numbers of other kinds, blanks, a
 * second zone.
 */
const MALFORMED = /^[+\-\d]|[\s%/]|^$/;

/** The index of an interface by its name, or -errno. */
function lookUp(name: string): number {
  // if_nametoindex(3) would stop at a NUL.
  return name.includes('\0') ? 0 : native.interfaceIndex(name);
}

/**
 * An interface's index, of its name or of the index itself.
 *
 * @throws TypeError, RangeError; ENODEV for a name that no interface has
 */
export function interfaceIndexOf(chosen: unknown): number {
  if (typeof chosen === 'number') {
    checkInteger('interface', chosen, 0, MAX_INDEX);
    return chosen;
  }
  if (typeof chosen !== 'string') throw invalidArgType('interface', 'a name or a number', chosen);
  const index = chosen === '' ? 0 : lookUp(chosen);
  if (index === 0) throw outOfRange('interface', 'a name without a NUL, or a number', chosen);
  if (index < 0) throw systemError(index, 'if_nametoindex', { address: chosen });
  return index;
}

/**
 * The index that the zone of an IPv6 address stands for (RFC 4007, section 11.2): decimal digits,
 * or a name.
 *
 * @throws RangeError for what can be neither; ENODEV for a name that no interface has
 */
export function zoneIndexOf(zone: string): number {
  if (/^\d+$/.test(zone)) {
    const index = Number(zone);
    if (index > MAX_INDEX) throw outOfRange('the zone after %', `an interface's index or name`, zone);
    return index;
  }
  const index = lookUp(zone);
  if (index > 0) return index;
  if (index === 0 || MALFORMED.test(zone)) {
    throw outOfRange('the zone after %', `an interface's index or name`, zone);
  }
  throw systemError(index, 'if_nametoindex', { address: zone });
}

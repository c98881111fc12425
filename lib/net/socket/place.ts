import { invalidArgType, unknownOptionError } from '../../binding/errors.js';
import { checkObject } from '../../binding/validate.js';

/** Fields of a target that are no options: they say where. */
const PLACE_NAMES = ['host', 'port', 'path', 'fd'];

/**
 * A target, of either form that the functions for handlers take: an object with place and options,
 * or the place alone and the options behind the handlers. Which options there are its user checks.
 *
 * @param toPlace makes the fields of a target
 * @throws TypeError; what `toPlace` throws
 */
export function withOptions<Target extends object, Place extends string | Uint8Array>(
  target: Target | Place,
  options: object | undefined,
  toPlace: (place: Place) => object,
): Target {
  if (typeof target === 'string' || ArrayBuffer.isView(target)) {
    if (options === undefined) return toPlace(target as Place) as Target;
    checkObject('options', options);
    for (const name of PLACE_NAMES) if (Object.hasOwn(options, name)) throw unknownOptionError(name);
    return { ...options, ...toPlace(target as Place) } as Target;
  }
  checkObject('target', target);
  if (options !== undefined)
    throw invalidArgType('options', 'fields of the target, which is an object', options);
  return target;
}

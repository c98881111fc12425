import { invalidArgType } from '../../binding/errors.js';
import { checkNames, checkObject, type Names } from '../../binding/validate.js';

/**
 * A target, of either form that the functions for handlers take: an object with place and options, or the place alone and
 * the options behind the handlers.
 *
 * @param known the names of options; those of a target its user checks
 * @param toPlace makes the fields of a target
 * @throws TypeError; what `toPlace` throws
 */
export function withOptions<Target extends object, Place extends string | Uint8Array>(
  target: Target | Place,
  options: object | undefined,
  known: Names,
  toPlace: (place: Place) => object,
): Target {
  if (typeof target === 'string' || ArrayBuffer.isView(target)) {
    if (options !== undefined) checkNames('options', options, known);
    return { ...options, ...toPlace(target as Place) } as Target;
  }
  checkObject('target', target);
  if (options !== undefined)
    throw invalidArgType('options', 'fields of the target, which is an object', options);
  return target;
}

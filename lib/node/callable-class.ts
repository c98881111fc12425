/**
 * Makes a class of a function that is called with `new`, without it, and by the constructors of
 * old-style heirs, as those of Node are.
 *
 * @param prototype has the methods
 * @param parent whose statics it inherits
 */
export function makeClass(constructor: object, prototype: object, parent: object): void {
  Object.defineProperty(constructor, 'prototype', { value: prototype, writable: false });
  Object.setPrototypeOf(constructor, parent);
  Object.defineProperty(prototype, 'constructor', {
    value: constructor,
    writable: true,
    configurable: true,
  });
}

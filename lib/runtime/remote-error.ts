import { reasonOf } from './errors.js';

/** How deep causes, and the errors of an AggregateError, are followed. */
const MAX_DEPTH = 4;
/** Of an AggregateError that are sent; of one within it none, since errors of errors multiply. */
const MAX_ERRORS = 64;

/** An error as a plain value, or another value that was thrown. */
export type Thrown = { readonly thrown: unknown } | { readonly error: DescribedError };

interface DescribedError {
  readonly name: string;
  readonly message: string;
  readonly stack: string;
  /** Its own fields with plain values: `code`, `errno` and the like. */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly cause?: Thrown;
  readonly errors?: readonly Thrown[];
}

const CLASSES: ReadonlyMap<string, new (message: string) => Error> = new Map(
  Object.entries({ EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError }),
);

/** Of any realm; a plain object that looks like one is sent as it is. */
const isError = (value: unknown): value is Error => {
  if (typeof value !== 'object' || value === null) return false;
  const { message, name } = value as Partial<Error>;
  if (typeof message !== 'string' || typeof name !== 'string') return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype !== Object.prototype && prototype !== null;
};

/** A cause that cannot be sent must not hide the error. */
function describeInner(value: unknown, depth: number): Thrown {
  if (isError(value) || isPlain(value)) return describe(value, depth);
  try {
    structuredClone(value);
    return { thrown: value };
  } catch {
    return { thrown: reasonOf(value) };
  }
}

const isPlain = (value: unknown): boolean =>
  value === null || ['string', 'number', 'boolean'].includes(typeof value);

/** What was thrown, as a value that can be sent, if it is an error or plain. */
export function describeThrown(thrown: unknown): Thrown {
  try {
    return describe(thrown, 0);
  } catch (error) {
    // A getter has thrown.
    return describe(new Error(`what was thrown cannot be read: ${reasonOf(error)}`), 0);
  }
}

function describe(thrown: unknown, depth: number): Thrown {
  if (!isError(thrown)) return { thrown };
  const fields = Object.fromEntries(
    Object.entries(thrown).filter(
      // To assign the last would set the prototype.
      ([key, value]) => !['name', 'message', 'stack', '__proto__'].includes(key) && isPlain(value),
    ),
  );
  const { name, message } = thrown;
  const stack = typeof thrown.stack === 'string' ? thrown.stack : `${name}: ${message}`;
  const described = { name, message, stack, fields };
  if (depth >= MAX_DEPTH) return { error: described };
  const { errors } = thrown as { errors?: unknown };
  return {
    error: {
      ...described,
      ...(thrown.cause !== undefined && { cause: describeInner(thrown.cause, depth + 1) }),
      ...(Array.isArray(errors) && {
        errors: errors.slice(0, depth === 0 ? MAX_ERRORS : 0).map((each) => describeInner(each, depth + 1)),
      }),
    },
  };
}

/** The error again: of the same class if that is a standard one, with its name, fields and stack. */
export function rebuildThrown(thrown: Thrown): unknown {
  if (!('error' in thrown)) return thrown.thrown;
  const { name, message, stack, fields, cause, errors } = thrown.error;
  const error =
    name === 'AggregateError' ? new AggregateError([], message) : new (CLASSES.get(name) ?? Error)(message);
  const hidden = { writable: true, configurable: true, enumerable: false };
  if (error.name !== name) Object.defineProperty(error, 'name', { ...hidden, value: name });
  Object.defineProperty(error, 'stack', { ...hidden, value: stack });
  if (errors !== undefined)
    Object.defineProperty(error, 'errors', { ...hidden, value: errors.map(rebuildThrown) });
  if (cause !== undefined) Object.defineProperty(error, 'cause', { ...hidden, value: rebuildThrown(cause) });
  return Object.assign(error, fields);
}

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

const isError = (value: unknown): value is Error => {
  const error = value as Partial<Error> | null | undefined;
  return typeof value === 'object' && typeof error?.message === 'string' && typeof error.name === 'string';
};

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
      ([key, value]) => key !== 'name' && key !== 'message' && key !== 'stack' && isPlain(value),
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
      ...(thrown.cause !== undefined && { cause: describe(thrown.cause, depth + 1) }),
      ...(Array.isArray(errors) && {
        errors: errors.slice(0, depth === 0 ? MAX_ERRORS : 0).map((each) => describe(each, depth + 1)),
      }),
    },
  };
}

/** The error again: of the same class if that is a standard one, with its name, fields and stack. */
export function rebuildThrown(thrown: Thrown): unknown {
  if (!('error' in thrown)) return thrown.thrown;
  const { name, message, stack, fields, cause, errors } = thrown.error;
  const error =
    errors === undefined
      ? new (CLASSES.get(name) ?? Error)(message)
      : new AggregateError(errors.map(rebuildThrown), message);
  const hidden = { writable: true, configurable: true, enumerable: false };
  if (error.name !== name) Object.defineProperty(error, 'name', { ...hidden, value: name });
  Object.defineProperty(error, 'stack', { ...hidden, value: stack });
  if (cause !== undefined) Object.defineProperty(error, 'cause', { ...hidden, value: rebuildThrown(cause) });
  return Object.assign(error, fields);
}

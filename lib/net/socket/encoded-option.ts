import { systemError } from '../../binding/errors.js';
import { native } from '../../binding/native.js';

/** An option ready to be set on any number of sockets: checked and encoded once. */
export interface EncodedOption {
  readonly name: string;
  readonly level: number;
  readonly option: number;
  readonly value: Uint8Array;
}

/**
 * @throws what setsockopt(2) says, with the option's name in the message; those before it are set
 * by then
 */
export function applyOptions(fd: number, options: readonly EncodedOption[]): void {
  for (const { name, level, option, value } of options) {
    const error = native.setsockopt(fd, level, option, value);
    if (error < 0) throw optionError(error, 'setsockopt', fd, name);
  }
}

export function optionError(errno: number, syscall: string, fd: number, name: string): Error {
  const error = systemError(errno, syscall, { fd });
  error.message += ` for ${name}`;
  return error;
}

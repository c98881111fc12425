import { errnoOf } from './errors.js';

// The errnos that several modules ask for, negative as every call returns them. What one module
// alone asks for it gets from `errnoOf` itself.

export const EAFNOSUPPORT = errnoOf('EAFNOSUPPORT');
export const EAGAIN = errnoOf('EAGAIN');
export const EBADF = errnoOf('EBADF');
export const EINPROGRESS = errnoOf('EINPROGRESS');
export const EINTR = errnoOf('EINTR');
export const EINVAL = errnoOf('EINVAL');
export const EMSGSIZE = errnoOf('EMSGSIZE');
export const ENOBUFS = errnoOf('ENOBUFS');
export const ENOENT = errnoOf('ENOENT');
export const ENOTCONN = errnoOf('ENOTCONN');
export const ENOTSUP = errnoOf('ENOTSUP');

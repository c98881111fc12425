'use strict';
// `npm run lint:deps`: the rooms of lib/, and what each may import (docs/architecture.md). Types count as values do.

// From the ground up: a room may import those before it, never one after it.
const ROOMS = [
  'binding',
  'sys',
  'poller',
  'timer',
  'raw',
  'reactor',
  'net/socket',
  'net/fd',
  'net/message',
  'net/stream',
  'net/tcp',
  'net/unix',
  'net/pipe',
  'net/udp',
  'net/copy',
  'net/moving',
  'net/sources',
  'net/framing',
  'node',
  'runtime/scheduler',
  'runtime',
  'observe',
  'cli',
];

/** Those that may import less than what stands before them. */
const ONLY = {
  timer: [],
  poller: ['binding'],
  reactor: ['timer', 'poller', 'binding'],
  'net/unix': ['binding', 'sys', 'poller', 'reactor', 'net/socket', 'net/fd', 'net/message', 'net/stream'],
  'net/pipe': ['binding', 'sys', 'poller', 'reactor', 'net/socket', 'net/stream'],
  'net/udp': ['binding', 'sys', 'poller', 'reactor', 'net/socket', 'net/fd'],
  'net/framing': ['binding', 'reactor'],
  'runtime/scheduler': [],
};

/** Why a room goes past that, by file: to shrink, not to grow. */
const within = (room) => `^lib/${room}/`;

const rooms = ROOMS.map((room, i) => {
  const allowed = [room, ...(ONLY[room] ?? ROOMS.slice(0, i).filter((other) => other !== 'raw'))];
  return {
    name: `room-${room.replace('/', '-')}`,
    comment: `${room} must not import this: pass it in, or move what both need to a room below`,
    severity: 'error',
    from: { path: within(room), pathNot: '/index\\.m?ts$' },
    to: { path: '^lib/', pathNot: allowed.map(within) },
  };
});

module.exports = {
  forbidden: [
    ...rooms,
    {
      name: 'no-circle',
      comment: 'a circle of imports, of types or values: pass in what one needs of the other',
      severity: 'error',
      from: { path: '^lib/' },
      to: { circular: true },
    },
    {
      name: 'a-room-for-each-file',
      comment: 'every file of lib is in a room, or an entry',
      severity: 'error',
      from: {},
      to: { path: '^lib/', pathNot: [...ROOMS.map(within), '^lib/(net/)?index\\.m?ts$'] },
    },
    {
      name: 'no-unresolved',
      severity: 'error',
      from: { path: '^lib/' },
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    includeOnly: '^lib/',
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { extensions: ['.ts', '.mts', '.js'] },
  },
};

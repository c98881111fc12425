import { type BackendName, capabilities, Poller } from 'tripoll';
import { describePoller, type Features } from './conformance';

const kinds: [name: string, backend: BackendName, features: Features][] = [
  [
    'epoll',
    'epoll',
    {
      anyFd: true,
      hangsUp: true,
      endsEarly: true,
      edge: true,
      exclusive: true,
      knowsFiles: true,
      nestable: true,
    },
  ],
  [
    'poll(2)',
    'poll',
    {
      anyFd: true,
      hangsUp: true,
      endsEarly: true,
      edge: false,
      exclusive: false,
      knowsFiles: false,
      nestable: false,
    },
  ],
  [
    'IOCP',
    'iocp',
    {
      anyFd: false,
      hangsUp: false,
      endsEarly: false,
      edge: false,
      exclusive: false,
      knowsFiles: false,
      nestable: false,
    },
  ],
];

for (const [name, backend, features] of kinds) {
  if (capabilities.backends.includes(backend)) describePoller(name, () => new Poller({ backend }), features);
}

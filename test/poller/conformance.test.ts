import { type BackendName, capabilities, Poller } from 'tripoll';
import { pollTells } from '../support/kernel';
import { describePoller, type Features } from './conformance';

const backends: Partial<Record<BackendName, Features>> = {
  epoll: {
    anyFd: true,
    hangsUp: true,
    endsEarly: true,
    edge: true,
    exclusive: true,
    knowsFiles: true,
    nestable: true,
    unasked: true,
    priority: true,
    errors: true,
    strangers: true,
  },
  kqueue: {
    anyFd: true,
    hangsUp: true,
    endsEarly: true,
    edge: true,
    exclusive: false,
    knowsFiles: true,
    nestable: false,
    unasked: false,
    priority: capabilities.platform === 'darwin' || capabilities.platform === 'openbsd',
    errors: true,
    strangers: true,
  },
  poll: {
    anyFd: true,
    hangsUp: true,
    endsEarly: true,
    edge: false,
    exclusive: false,
    knowsFiles: false,
    nestable: false,
    unasked: true,
    priority: true,
    errors: pollTells.errors,
    strangers: pollTells.strangers,
  },
  iocp: {
    anyFd: false,
    hangsUp: false,
    endsEarly: false,
    edge: false,
    exclusive: false,
    knowsFiles: false,
    nestable: false,
    unasked: true,
    priority: true,
    errors: true,
    strangers: true,
  },
};

for (const backend of capabilities.backends) {
  const features = backends[backend];
  if (features !== undefined) describePoller(backend, () => new Poller({ backend }), features);
}

test('every backend of this platform is tested', () => {
  expect(capabilities.backends.filter((backend) => !(backend in backends))).toEqual([]);
});

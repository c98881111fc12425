import { Poller } from 'tripoll';
import { describePoller } from './conformance';

describePoller('epoll', () => new Poller({ backend: 'epoll' }), {
  edge: true,
  exclusive: true,
  knowsFiles: true,
  nestable: true,
});

describePoller('poll(2)', () => new Poller({ backend: 'poll' }), {
  edge: false,
  exclusive: false,
  knowsFiles: false,
  nestable: false,
});

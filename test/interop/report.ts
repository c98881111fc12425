// What an app of test/interop says of itself: a line of JSON when it is ready, one at its end. The
// sockets that tripoll made are counted: without them a test would prove nothing.
import { subscribe } from 'node:diagnostics_channel';

const tripoll = { accepted: 0, connected: 0 };
subscribe('tripoll.net.server.socket', () => tripoll.accepted++);
subscribe('tripoll.net.client.socket', () => tripoll.connected++);

/** Of an app that serves: `value` has its port. */
export function sayReady(value: Readonly<Record<string, unknown>>): void {
  console.log(JSON.stringify(value));
}

/** The last line of an app. */
export function report(value: Readonly<Record<string, unknown>>): void {
  console.log(JSON.stringify({ ...value, tripoll }));
}

/** Calls `close` at SIGTERM, and reports what it resolves with. */
export function reportAtEnd(close: () => Promise<Readonly<Record<string, unknown>>>): void {
  process.once('SIGTERM', () => {
    void close().then(report);
  });
}

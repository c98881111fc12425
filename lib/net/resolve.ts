import type { LookupAddress } from 'node:dns';
import { isIpLiteral, type HostPort } from '../sys/address.js';

type Found = (error: Error | null, candidates: HostPort[]) => void;

/** The addresses of a host, in the order of the system's resolver (`dns.lookup`); a literal is its own. */
export function resolve(target: HostPort, found: Found): void {
  const { host, port } = target;
  if (isIpLiteral(host)) {
    found(null, [{ host, port }]);
    return;
  }
  // Loaded when first needed: a server that only listens does without it.
  void import('node:dns').then(({ lookup }) => {
    lookup(host, { all: true }, (error: Error | null, addresses: LookupAddress[]) => {
      if (error !== null) found(error, []);
      else
        found(
          null,
          addresses.map(({ address }) => ({ host: address, port })),
        );
    });
  });
}

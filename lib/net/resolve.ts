import type dns from 'node:dns';
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
  loadDns().lookup(host, { all: true }, (error: Error | null, addresses: LookupAddress[]) => {
    if (error !== null) found(error, []);
    else
      found(
        null,
        addresses.map(({ address }) => ({ host: address, port })),
      );
  });
}

/** When first needed: a server that only listens does without it. Not by import(), which Jest refuses. */
function loadDns(): typeof dns {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- see above
  return require('node:dns') as typeof dns;
}

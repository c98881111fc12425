import type dns from 'node:dns';
import type { LookupAddress } from 'node:dns';
import { invalidArgType, notFoundError } from '../../binding/errors.js';
import { isIpLiteral, type HostPort } from '../../sys/address.js';

/**
 * Gives the IP addresses of a name, those to be preferred first: a promise of strings or of
 * `{ address }`, as `dns.promises.resolve4` and
 * `(host) => dns.promises.lookup(host, { all: true })` give them.
 */
export type Resolver = (
  host: string,
) => PromiseLike<readonly (string | { address: string })[]> | readonly (string | { address: string })[];

type Found = (error: Error | null, candidates: HostPort[]) => void;

/** The addresses of a host, at least one, in the order of the resolver; a literal is its own. */
export function resolve(target: HostPort, resolver: Resolver | undefined, found: Found): void {
  const { host, port } = target;
  const give = (addresses: readonly string[]): void => {
    const error = addresses.length === 0 ? notFoundError(host, 'has no addresses') : null;
    const candidates = addresses.map((address) => ({ host: address, port }));
    found(error, candidates);
  };
  if (isIpLiteral(host)) {
    found(null, [target]);
    return;
  }
  if (resolver !== undefined) {
    askResolver(resolver, host).then(give, (error: unknown) => {
      // Without a reason nobody could tell it from a success.
      found(
        (error ?? notFoundError(host, 'could not be resolved: the resolver gave no reason')) as Error,
        [],
      );
    });
    return;
  }
  loadDns().lookup(host, { all: true }, (error: Error | null, addresses: LookupAddress[]) => {
    if (error !== null) found(error, []);
    else give(addresses.map(({ address }) => address));
  });
}

async function askResolver(resolver: Resolver, host: string): Promise<string[]> {
  const answer: unknown = await resolver(host);
  if (!Array.isArray(answer))
    throw invalidArgType('what the resolver gives', 'an array of addresses', answer);
  return answer.map((entry: unknown) => {
    const address = typeof entry === 'string' ? entry : (entry as { address?: unknown } | null)?.address;
    if (typeof address !== 'string') throw invalidArgType('what the resolver gives', 'an address', entry);
    return address;
  });
}

/** Families take turns, the first address's own being the first (RFC 8305, section 4). */
export function interleave(candidates: readonly HostPort[]): HostPort[] {
  const isV6 = ({ host }: HostPort) => host.includes(':');
  const [first] = candidates;
  if (first === undefined) return [];
  const preferred = candidates.filter((candidate) => isV6(candidate) === isV6(first));
  const others = candidates.filter((candidate) => isV6(candidate) !== isV6(first));
  const longer = Math.max(preferred.length, others.length);
  return Array.from({ length: longer }, (_, i) => [preferred[i], others[i]])
    .flat()
    .filter((candidate) => candidate !== undefined);
}

/**
 * When first needed: a server that only listens does without it. Not by import(), which Jest
 * refuses.
 */
function loadDns(): typeof dns {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- see above
  return require('node:dns') as typeof dns;
}

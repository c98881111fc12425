import { networkInterfaces, type NetworkInterfaceInfo } from 'node:os';

function nameOf(fits: (info: NetworkInterfaceInfo) => boolean): string | undefined {
  return Object.entries(networkInterfaces()).find(([, addresses]) => addresses?.some(fits))?.[0];
}

/** The name of the interface that has this address; undefined where none has. */
export function interfaceByAddress(address: string): string | undefined {
  return nameOf((info) => info.address === address);
}

/** The name of the interface of this index, which has an IPv6 address; undefined where none is. */
export function interfaceByIndex(index: number): string | undefined {
  return nameOf((info) => info.family === 'IPv6' && info.scopeid === index);
}

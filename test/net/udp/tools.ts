// What the UDP tests share: sockets of a test's own reactor, and calls that are swapped.
import { networkInterfaces } from 'node:os';
import { capabilities } from 'tripoll';
import type { UdpEndpoint } from 'tripoll/net';
import {
  bindUdp,
  UdpSocket,
  type UdpHandlers,
  type UdpOptions,
  type DatagramBatchOptions,
  type SocketAddressInput,
} from 'tripoll/net';
import { native } from '#lib/binding/native';
import { udpConstant, type UdpBinding } from '#lib/binding/native-udp';
import type { Context } from '../tools.js';
import { testIf } from '../../support/applies.js';
import { hasManyLoopbacks } from '../../support/kernel.js';
import { isWindows, isWine } from '../../support/platform.js';

export const V4 = '127.0.0.1';
export const V6 = '::1';

/** Whether this system has the option, which `capabilities` does not tell one by one. */
export const has = (option: string): boolean =>
  udpConstant(option) !== undefined || option in native.constants;

/**
 * Linux alone has recvmmsg(2) and sendmmsg(2) as one call, and tells how long a truncated datagram
 * was.
 */
export const isLinux = capabilities.platform === 'linux';

/** What this system calls 127.0.0.1's interface. */
export const LOOPBACK_NAME =
  Object.entries(networkInterfaces()).find(([, addresses]) =>
    addresses?.some(({ address }) => address === V4),
  )?.[0] ?? 'lo';

/** Windows takes IP_TOS and leaves it out, unless its registry says otherwise; Wine heeds it. */
export const heedsTos = !isWindows || isWine;

/**
 * What is said to an address of the family that is not the socket’s; Wine has a word of its own.
 */
export const OTHER_FAMILY = isWine ? 'ENOTSUP' : 'EAFNOSUPPORT';

/** Of control data that is sent with one datagram. */
export const testSentControl = testIf(
  !isWine,
  'Wine leaves out what WSASendMsg is given besides the datagram',
);

/** Of who of several loopback addresses has sent it. */
export const testLoopbackSource = testIf(
  !isWine && hasManyLoopbacks,
  'of 127/8 this system has 127.0.0.1 alone, or (Wine) binds UDP to its interface',
);

/** Of ICMP errors. */
export const testRefusal = testIf(!isWine, 'Wine tells a UDP socket of no ICMP error');

export async function bound(context: Context, options: UdpOptions = {}, host = V4): Promise<UdpSocket> {
  return context.own(await UdpSocket.bind({ host, port: 0 }, { reactor: context.reactor, ...options }));
}

export async function connected(
  context: Context,
  to: UdpSocket | UdpEndpoint,
  options: UdpOptions = {},
): Promise<UdpSocket> {
  const socket = await UdpSocket.connect(hostPortOf(to), { reactor: context.reactor, ...options });
  return context.own(socket);
}

export function endpoint(
  context: Context,
  handlers: UdpHandlers,
  options: UdpOptions & DatagramBatchOptions & { host?: string; peer?: SocketAddressInput } = {},
): UdpEndpoint {
  return context.own(bindUdp({ host: V4, port: 0, reactor: context.reactor, ...options }, handlers));
}

/** A port of this host that nobody listens on: it was just given up. */
export async function deadAddress(context: Context, host = V4): Promise<{ host: string; port: number }> {
  const socket = await bound(context, {}, host);
  const address = hostPortOf(socket);
  socket.close();
  return address;
}

export function hostPortOf(socket: UdpSocket | UdpEndpoint): { host: string; port: number } {
  const { address, port } = socket.localAddress ?? {};
  if (address === undefined || port === undefined) throw new Error('the socket is closed');
  return { host: address, port };
}

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
export const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

const swappable = native as unknown as UdpBinding;

/** Swaps a call of the addon while `body` runs. */
export async function swapped<Name extends 'udpReceive' | 'udpSend'>(
  name: Name,
  replace: (real: UdpBinding[Name]) => UdpBinding[Name],
  body: () => Promise<void>,
): Promise<void> {
  const real = swappable[name];
  swappable[name] = replace(real);
  try {
    await body();
  } finally {
    swappable[name] = real;
  }
}

/** A socket whose buffer is full for so many calls, which no loopback socket ever is. */
export function fullFor(calls: number): (real: UdpBinding['udpSend']) => UdpBinding['udpSend'] {
  let left = calls;
  const { EAGAIN } = native.errnos;
  return (real) =>
    (...values) =>
      left-- > 0 ? -EAGAIN : real(...values);
}

import { unsupportedError } from './errors.js';
import { native } from './native.js';

type RecordsCall = (
  fd: number,
  records: Uint8Array,
  payload: Uint8Array,
  slotBytes: number,
  first: number,
  count: number,
  options: number,
) => number;

/** The datagram calls of the addon; `records` is a header and its records, as of `datagrams.h`. */
export interface UdpBinding {
  readonly udpLayout: Readonly<Record<string, number>>;
  readonly udpConstants: Readonly<Record<string, number>>;
  readonly udpReceive: RecordsCall;
  readonly udpSend: RecordsCall;
  udpGetAddress(records: Uint8Array, index: number, local: number, out: object): number;
  udpSetAddress(
    records: Uint8Array,
    index: number,
    local: number,
    family: number,
    address: string,
    port: number,
    scopeId: number,
  ): number;
  udpMembership(
    fd: number,
    option: number,
    interfaceIndex: number,
    family: number,
    group: string,
    source: string,
  ): number;
  udpDisconnect(fd: number): number;
}

const binding = native as unknown as UdpBinding & { udpLayout?: UdpBinding['udpLayout'] };

/** @throws ERR_TRIPOLL_UNSUPPORTED where this platform's addon has no UDP */
export function checkUdp(): void {
  if (binding.udpLayout === undefined) throw unsupportedError('UDP sockets do not exist on this platform');
}

export const nativeUdp: UdpBinding = binding;

const layout = binding.udpLayout ?? {};

/** An offset, in words, or a flag of the addon's records. */
export function udpLayout(name: string): number {
  const value = layout[name];
  // Without UDP nothing of it is read.
  return value ?? 0;
}

/** An option's number on this platform; undefined where it has none. */
export function udpConstant(name: string): number | undefined {
  return binding.udpConstants?.[name];
}

export const RECORD_WORDS = 32;
export const HEADER_WORDS = 8;

const words = Uint32Array.BYTES_PER_ELEMENT;
if (
  binding.udpLayout !== undefined &&
  (layout['recordBytes'] !== RECORD_WORDS * words ||
    layout['headerBytes'] !== HEADER_WORDS * words ||
    layout['endpointBytes'] !== 7 * words)
) {
  throw new Error('tripoll: the compiled addon has another datagram layout than this JavaScript: rebuild it');
}

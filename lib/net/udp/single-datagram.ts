import { checkInteger } from '../../binding/validate.js';
import type { CancelOptions } from '../../reactor/cancellation.js';
import { parseAddress, type SocketAddress, type SocketAddressInput } from '../../sys/address.js';
import type { DatagramRecords } from './datagram-records.js';

// What is said, and told, of one datagram of a `UdpSocket`.

const MAX_BYTE = 255;
const MAX_SEGMENT_BYTES = 65535;

/** Options of `UdpSocket.send`. */
export interface SendOptions extends CancelOptions {
  /** As `DatagramBatch.setSegmentBytes`. */
  segmentBytes?: number | undefined;
  /** For this datagram, 0 to 255. */
  tos?: number | undefined;
  /** For this datagram, 1 to 255. */
  ttl?: number | undefined;
  /** The address of ours to send from. */
  source?: string | undefined;
}

/** Names of `SendOptions` besides those of `CancelOptions`. */
export const DATAGRAM_NAMES: Readonly<Record<Exclude<keyof SendOptions, keyof CancelOptions>, true>> = {
  segmentBytes: true,
  tos: true,
  ttl: true,
  source: true,
};

/**
 * What `receive` tells of a datagram, besides its bytes. What was not asked for by an option is
 * undefined.
 */
export interface ReceivedDatagram {
  /** How many of its bytes are in the buffer. */
  readonly lengthBytes: number;
  /** Sender of the datagram. */
  readonly address: SocketAddress | undefined;
  /** It was longer than the buffer, and its end is lost. */
  readonly truncated: boolean;
  /** How long it was; where the system does not tell: `lengthBytes`. */
  readonly wireBytes: number;
  /** With `udpGro`, above 0: it is several datagrams of this length, the last may be shorter. */
  readonly segmentBytes: number;
  /** The address of ours that it was sent to. Needs `receivePacketInfo`. */
  readonly destination: string | undefined;
  /** With `receivePacketInfo`. */
  readonly interfaceIndex: number | undefined;
  /** The type of service; its lowest two bits are ECN. Needs `receiveTos`. */
  readonly tos: number | undefined;
  /** With `receiveTtl`. */
  readonly ttl: number | undefined;
  /** Nanoseconds since 1970. Needs `receiveTimestamps`. */
  readonly timestampNs: bigint | undefined;
}

/** What is known of the one datagram in `records`. */
export function described(records: DatagramRecords): ReceivedDatagram {
  return {
    lengthBytes: records.lengthBytes(0),
    address: records.address(0),
    truncated: records.isTruncated(0),
    wireBytes: records.wireBytes(0),
    segmentBytes: records.segmentBytes(0),
    destination: records.destination(0),
    interfaceIndex: records.interfaceIndex(0),
    tos: records.tos(0),
    ttl: records.ttl(0),
    timestampNs: records.timestampNs(0),
  };
}

/** A record for one datagram. */
export function prepare(
  records: DatagramRecords,
  lengthBytes: number,
  address: SocketAddressInput | undefined,
  options: SendOptions | undefined,
): void {
  records.begin(0, lengthBytes);
  if (address !== undefined) records.setAddress(0, address);
  if (options === undefined) return;
  const { segmentBytes, tos, ttl, source } = options;
  if (segmentBytes !== undefined) {
    checkInteger('segmentBytes', segmentBytes, 0, MAX_SEGMENT_BYTES);
    records.setSegmentBytes(0, segmentBytes);
  }
  if (tos !== undefined) {
    checkInteger('tos', tos, 0, MAX_BYTE);
    records.setTos(0, tos);
  }
  if (ttl !== undefined) {
    checkInteger('ttl', ttl, 1, MAX_BYTE);
    records.setTtl(0, ttl);
  }
  if (source !== undefined) records.setSource(0, parseAddress({ host: source, port: 0 }), 0);
}

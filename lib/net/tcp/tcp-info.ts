import { systemError, unsupportedError } from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { checkFd } from '../../binding/validate.js';

/** More than any kernel's struct has so far (Linux 6.18: 280 bytes). */
const MAX_BYTES = 512;

const isLittle = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

type FieldType = 'u8' | 'u32' | 'u64';
const sizes: Readonly<Record<FieldType, number>> = { u8: 1, u32: 4, u64: 8 };

/**
 * struct tcp_info of Linux, field after field: include/uapi/linux/tcp.h, which only grows at its
 * end. The two bytes of bit fields, at 6 and 7, are taken apart in `decodeTcpInfo`.
 */
const fields = [
  ['state', 'u8'],
  ['caState', 'u8'],
  ['retransmits', 'u8'],
  ['probes', 'u8'],
  ['backoff', 'u8'],
  ['options', 'u8'],
  ['windowScales', 'u8'],
  ['limitedAndFastOpen', 'u8'],
  ['rtoUs', 'u32'],
  ['atoUs', 'u32'],
  ['sendMssBytes', 'u32'],
  ['receiveMssBytes', 'u32'],
  ['unacked', 'u32'],
  ['sacked', 'u32'],
  ['lost', 'u32'],
  ['retrans', 'u32'],
  ['fackets', 'u32'],
  ['lastDataSentMs', 'u32'],
  ['lastAckSentMs', 'u32'],
  ['lastDataReceivedMs', 'u32'],
  ['lastAckReceivedMs', 'u32'],
  ['pathMtuBytes', 'u32'],
  ['receiveSsthreshBytes', 'u32'],
  ['rttUs', 'u32'],
  ['rttVarianceUs', 'u32'],
  ['sendSsthresh', 'u32'],
  ['sendCwnd', 'u32'],
  ['advertisedMssBytes', 'u32'],
  ['reordering', 'u32'],
  ['receiveRttUs', 'u32'],
  ['receiveSpaceBytes', 'u32'],
  ['totalRetrans', 'u32'],
  ['pacingRateBytes', 'u64'],
  ['maxPacingRateBytes', 'u64'],
  ['bytesAcked', 'u64'],
  ['bytesReceived', 'u64'],
  ['segmentsOut', 'u32'],
  ['segmentsIn', 'u32'],
  ['notSentBytes', 'u32'],
  ['minRttUs', 'u32'],
  ['dataSegmentsIn', 'u32'],
  ['dataSegmentsOut', 'u32'],
  ['deliveryRateBytes', 'u64'],
  ['busyTimeUs', 'u64'],
  ['receiveWindowLimitedUs', 'u64'],
  ['sendBufferLimitedUs', 'u64'],
  ['delivered', 'u32'],
  ['deliveredCe', 'u32'],
  ['bytesSent', 'u64'],
  ['bytesRetransmitted', 'u64'],
  ['dsackDuplicates', 'u32'],
  ['reorderSeen', 'u32'],
  ['receiveOutOfOrder', 'u32'],
  ['sendWindowBytes', 'u32'],
  ['receiveWindowBytes', 'u32'],
  ['rehash', 'u32'],
] as const satisfies readonly (readonly [string, FieldType])[];

/** A field as `struct tcp_info` has it. */
type RawField = (typeof fields)[number][0];

/**
 * What the kernel knows of a connection. A field that this kernel does not have yet is undefined.
 * Counters of bytes are exact up to 2^53; rates are bytes a second.
 */
export type TcpInfo = Readonly<
  Partial<Record<Exclude<RawField, 'windowScales' | 'limitedAndFastOpen'>, number>> & {
    sendWindowScale?: number;
    receiveWindowScale?: number;
    deliveryRateAppLimited?: boolean;
    /** 0 none, 1 no cookie, 2 SYN data not acknowledged, 3 SYN sent again. */
    fastOpenClientFail?: number;
  }
>;

/** By length: `bytes` are as many as the kernel gave. */
export function decodeTcpInfo(bytes: Uint8Array): TcpInfo {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const info: Record<string, number | boolean> = {};
  let offset = 0;
  for (const [name, type] of fields) {
    if (offset + sizes[type] > bytes.length) break;
    if (type === 'u8') info[name] = view.getUint8(offset);
    else if (type === 'u32') info[name] = view.getUint32(offset, isLittle);
    else info[name] = Number(view.getBigUint64(offset, isLittle));
    offset += sizes[type];
  }
  const { windowScales, limitedAndFastOpen, ...rest } = info;
  return {
    ...rest,
    ...(typeof windowScales === 'number' ? splitScales(windowScales) : {}),
    ...(typeof limitedAndFastOpen === 'number' ? splitFastOpen(limitedAndFastOpen) : {}),
  };
}

/** Bit fields begin at the low end on little-endian systems, at the high end on others. */
function splitScales(byte: number): TcpInfo {
  const [low, high] = [byte & 15, byte >> 4];
  return { sendWindowScale: isLittle ? low : high, receiveWindowScale: isLittle ? high : low };
}

function splitFastOpen(byte: number): TcpInfo {
  return {
    deliveryRateAppLimited: (byte & (isLittle ? 1 : 128)) !== 0,
    fastOpenClientFail: (byte >> (isLittle ? 1 : 5)) & 3,
  };
}

/**
 * TCP_INFO of a connection; Linux.
 *
 * @throws ERR_TRIPOLL_UNSUPPORTED on other systems; what getsockopt(2) says
 */
export function tcpInfo(fd: number): TcpInfo {
  checkFd(fd);
  const { IPPROTO_TCP, LINUX_TCP_INFO } = native.constants;
  if (LINUX_TCP_INFO === undefined) throw unsupportedError('this platform has no TCP_INFO of this layout');
  const bytes = new Uint8Array(MAX_BYTES);
  const length = native.getsockopt(fd, IPPROTO_TCP, LINUX_TCP_INFO, bytes);
  if (length < 0) throw systemError(length, 'getsockopt', { fd });
  return decodeTcpInfo(bytes.subarray(0, length));
}

// Questions and answers of DNS, as far as dns-server.ts needs them (RFC 1035, EDNS: RFC 6891).

/** Record types by name. */
export const TYPES = { A: 1, NS: 2, CNAME: 5, SOA: 6, MX: 15, TXT: 16, AAAA: 28, OPT: 41, ANY: 255 } as const;
export type TypeName = keyof typeof TYPES;

export const NO_ERROR = 0;
export const FORMAT_ERROR = 1;
export const NAME_ERROR = 3;
export const NOT_IMPLEMENTED = 4;
export const REFUSED = 5;

const CLASS_IN = 1;
const HEADER_BYTES = 12;
const MAX_LABEL_BYTES = 63;
const MAX_NAME_BYTES = 255;
/** What every client takes; more only when it says so. */
const PLAIN_ANSWER_BYTES = 512;
/**
 * What we say that we take, and send at most by UDP: no path cuts it into fragments (DNS flag day
 * 2020).
 */
export const MAX_UDP_BYTES = 1232;

export interface Question {
  readonly id: number;
  readonly flags: number;
  /** In lower case, without the last dot. */
  readonly name: string;
  readonly type: number;
  readonly isInternet: boolean;
  /** As they came, to be sent back: clients look at the case of the letters. */
  readonly bytes: Uint8Array;
  /** What the client takes by UDP. */
  readonly mostBytes: number;
  readonly hasEdns: boolean;
}

export interface ResourceRecord {
  readonly name: string;
  readonly type: TypeName;
  readonly ttlS: number;
  readonly data: Uint8Array;
}

export interface Answer {
  readonly code: number;
  readonly answers: readonly ResourceRecord[];
  readonly authority: readonly ResourceRecord[];
}

/**
 * Null for what deserves no answer: an answer, or less than a header. A number: an error code to
 * answer with.
 */
export function readQuestion(message: Uint8Array): Question | number | null {
  if (message.length < HEADER_BYTES) return null;
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  const flags = view.getUint16(2);
  // Never to an answer: two servers would talk for ever.
  if ((flags & 0x8000) !== 0) return null;
  if ((flags & 0x7800) !== 0) return NOT_IMPLEMENTED;
  if (view.getUint16(4) !== 1) return FORMAT_ERROR;
  const name = readName(message, HEADER_BYTES);
  if (name === null || name.end + 4 > message.length) return FORMAT_ERROR;
  const end = name.end + 4;
  const edns = view.getUint16(6) === 0 && view.getUint16(8) === 0 ? readEdns(view, end) : 0;
  return {
    id: view.getUint16(0),
    flags,
    name: name.text,
    type: view.getUint16(name.end),
    isInternet: view.getUint16(name.end + 2) === CLASS_IN,
    bytes: message.slice(HEADER_BYTES, end),
    mostBytes: Math.min(Math.max(edns, PLAIN_ANSWER_BYTES), MAX_UDP_BYTES),
    hasEdns: edns > 0,
  };
}

function readName(message: Uint8Array, start: number): { text: string; end: number } | null {
  const labels: string[] = [];
  for (let at = start; at < message.length && at - start < MAX_NAME_BYTES;) {
    const length = message[at] as number;
    if (length === 0) return { text: labels.join('.').toLowerCase(), end: at + 1 };
    // A question is the first name of a message: there is nothing for it to point at.
    if (length > MAX_LABEL_BYTES || at + 1 + length > message.length) return null;
    labels.push(Buffer.from(message.subarray(at + 1, at + 1 + length)).toString('latin1'));
    at += 1 + length;
  }
  return null;
}

/**
 * The first additional record, where it is an OPT: the size that the client takes; 0 without one.
 */
function readEdns(view: DataView, at: number): number {
  const isOpt = view.getUint16(10) > 0 && at + 11 <= view.byteLength && view.getUint8(at) === 0;
  return isOpt && view.getUint16(at + 1) === TYPES.OPT ? Math.max(1, view.getUint16(at + 3)) : 0;
}

export function encodeName(name: string): Uint8Array {
  const labels = name.split('.').map((label) => Buffer.from(label, 'latin1'));
  return Buffer.concat([...labels.flatMap((label) => [Buffer.of(label.length), label]), Buffer.of(0)]);
}

function encodeRecord(record: ResourceRecord, questionName: string): Uint8Array {
  // A pointer to the question, where it is the same name.
  const name = record.name === questionName ? Buffer.of(0xc0, HEADER_BYTES) : encodeName(record.name);
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(TYPES[record.type], 0);
  fixed.writeUInt16BE(CLASS_IN, 2);
  fixed.writeUInt32BE(record.ttlS, 4);
  fixed.writeUInt16BE(record.data.length, 8);
  return Buffer.concat([name, fixed, record.data]);
}

function encodeHeader(id: number, flags: number, counts: readonly number[]): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16BE(id, 0);
  header.writeUInt16BE(flags, 2);
  counts.forEach((count, index) => header.writeUInt16BE(count, 4 + 2 * index));
  return header;
}

const OPT = Buffer.from([0, 0, TYPES.OPT, MAX_UDP_BYTES >> 8, MAX_UDP_BYTES & 0xff, 0, 0, 0, 0, 0, 0]);

/**
 * The answer's bytes; where they are more than `mostBytes`, only that there are more (the TC bit).
 */
export function encodeAnswer(question: Question, answer: Answer, mostBytes: number): Uint8Array {
  const { id, name, bytes, hasEdns } = question;
  // A response, authoritative for what is ours, and the client's RD bit back.
  const authoritative = answer.code === REFUSED ? 0 : 0x0400;
  const flags = 0x8000 | authoritative | (question.flags & 0x0100) | answer.code;
  const edns = hasEdns ? OPT : new Uint8Array(0);
  const records = [...answer.answers, ...answer.authority].map((record) => encodeRecord(record, name));
  const additional = hasEdns ? 1 : 0;
  const counts = [1, answer.answers.length, answer.authority.length, additional];
  const whole = Buffer.concat([encodeHeader(id, flags, counts), bytes, ...records, edns]);
  if (whole.length <= mostBytes) return whole;
  return Buffer.concat([encodeHeader(id, flags | 0x0200, [1, 0, 0, additional]), bytes, edns]);
}

/** To a message whose question could not be read. */
export function encodeError(message: Uint8Array, code: number): Uint8Array {
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  return encodeHeader(view.getUint16(0), 0x8000 | (view.getUint16(2) & 0x7900) | code, [0, 0, 0, 0]);
}

// A table's rows in the text format of PostgreSQL's COPY, and what an app for PostgreSQL is told.
import type { Hash } from 'node:crypto';
import { bodyOf } from './body.js';

/** In base64 that is 1004 bytes, without a character which COPY would escape. */
const ROW_BYTES = 753;

/** Lines of a number and a text, of `lengthBytes` and more, in chunks; `hash` gets them as well. */
export function* rowsOf(lengthBytes: number, hash: Hash): Generator<Buffer> {
  let number = 0;
  for (const block of bodyOf(lengthBytes)) {
    let lines = '';
    for (let at = 0; at + ROW_BYTES <= block.length; at += ROW_BYTES)
      lines += `${number++}\t${block.toString('base64', at, at + ROW_BYTES)}\n`;
    const chunk = Buffer.from(lines);
    hash.update(chunk);
    yield chunk;
  }
}

/** The argument of apps/pg.ts and apps/postgres.ts, as JSON. */
export interface PostgresPlace {
  /** Of a folder: a Unix socket in it. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** The certificate that the server must have; without it, no TLS. */
  readonly ca?: string;
  /** Whether the client is given its sockets by our `connect`; else they are node:net's. */
  readonly byOption: boolean;
  /** How many bytes to copy in and out; undefined: only queries, until the server came back. */
  readonly copyBytes?: number;
}

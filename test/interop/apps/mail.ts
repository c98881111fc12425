// Mail by nodemailer to a sink by smtp-server: `node mail.js plain|starttls|tls`.
import { report } from '../report.js';
import { once } from 'node:events';
import type { AddressInfo, Server } from 'node:net';
import { secrets } from '../../support/secrets.js';
import { bodyOf, newHash } from '../body.js';
import { load } from '../packages.js';

interface Session {
  readonly secure: boolean;
  readonly user?: string;
}
interface Sink extends NodeJS.EventEmitter {
  readonly server: Server;
  listen(port: number, host: string): void;
  close(closed: () => void): void;
}
interface Transport {
  sendMail(mail: object): Promise<{ accepted: string[] }>;
  close(): void;
}
type OnData = (stream: NodeJS.ReadableStream, session: Session, done: () => void) => void;
type OnAuth = (
  auth: { username: string; password: string },
  session: Session,
  done: (error: Error | null, answer: object) => void,
) => void;
const { SMTPServer } = load<{ SMTPServer: new (options: object) => Sink }>('smtp-server');
const { createTransport } = load<{ createTransport(options: object): Transport }>('nodemailer');

const how = process.argv[2];
const MAILS = 20;

/** The attachment's bytes out of a mail as it came. */
function attachmentOf(mail: string): Buffer {
  const start = mail.indexOf('\r\n\r\n', mail.indexOf('filename=body.bin')) + 4;
  return Buffer.from(mail.slice(start, mail.indexOf('\r\n--', start)), 'base64');
}

async function main(): Promise<void> {
  const hashes = new Set<string>();
  const secure = new Set<boolean>();
  let mails = 0;
  const onData: OnData = (stream, session, done) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      mails++;
      secure.add(session.secure);
      hashes.add(
        newHash()
          .update(attachmentOf(Buffer.concat(chunks).toString('latin1')))
          .digest('hex'),
      );
      done();
    });
  };
  const onAuth: OnAuth = ({ username, password }, _session, done) =>
    password === 'secret' ? done(null, { user: username }) : done(new Error('no'), {});
  const hidden = how === 'plain' ? ['STARTTLS'] : [];
  const sink = new SMTPServer({
    ...secrets,
    secure: how === 'tls',
    hideSTARTTLS: hidden.length > 0,
    allowInsecureAuth: true,
    onData,
    onAuth,
  });
  sink.listen(0, '127.0.0.1');
  await once(sink.server, 'listening');
  const { port } = sink.server.address() as AddressInfo;
  const transport = createTransport({
    host: '127.0.0.1',
    port,
    pool: true,
    maxConnections: 3,
    secure: how === 'tls',
    requireTLS: how === 'starttls',
    ignoreTLS: how === 'plain',
    auth: { user: 'me', pass: 'secret' },
    tls: { rejectUnauthorized: false },
  });
  const attachments = [{ filename: 'body.bin', content: Buffer.concat([...bodyOf(1_000_000)]) }];
  const mail = {
    from: 'a@example.org',
    to: 'b@example.org',
    subject: 'x',
    text: 'hello\n.\n..',
    attachments,
  };
  const sent = await Promise.all(Array.from({ length: MAILS }, () => transport.sendMail(mail)));
  transport.close();
  await new Promise<void>((resolve) => {
    sink.close(resolve);
  });
  report({
    mails,
    accepted: sent.flatMap(({ accepted }) => accepted).length,
    hashes: [...hashes],
    secure: [...secure],
  });
}

void main();

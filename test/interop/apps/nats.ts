// A program that talks by NATS: `node nats.js PORT`.
import { load } from '../packages.js';
import { report } from '../report.js';

interface Message {
  readonly data: Uint8Array;
  respond(data: Uint8Array): void;
}
interface Subscription extends AsyncIterable<Message> {
  unsubscribe(): void;
}
interface Connection {
  publish(subject: string, data?: Uint8Array): void;
  subscribe(subject: string, options?: object): Subscription;
  request(subject: string, data: Uint8Array, options: { timeout: number }): Promise<Message>;
  flush(): Promise<void>;
  drain(): Promise<void>;
}
const nats = load<{ connect(options: object): Promise<Connection> }>('nats');

const MESSAGES = 5000;
const LARGE_BYTES = 4_000_000;

async function main(): Promise<void> {
  const options = { servers: `127.0.0.1:${process.argv[2]!}` };
  const [one, other] = [await nats.connect(options), await nats.connect(options)];
  const news = one.subscribe('news', { max: MESSAGES });
  const echoes = one.subscribe('echo');
  void (async () => {
    for await (const message of echoes) message.respond(message.data);
  })();
  await one.flush();

  const payload = (i: number): Buffer => Buffer.from(`${i} ${'n'.repeat(i % 1000)}`);
  for (let i = 0; i < MESSAGES; i++) other.publish('news', payload(i));
  let heard = 0;
  for await (const { data } of news) if (payload(heard).equals(data)) heard++;

  const asked = Array.from({ length: 100 }, (_, i) => other.request('echo', payload(i), { timeout: 10_000 }));
  const answers = (await Promise.all(asked)).filter(({ data }, i) => payload(i).equals(data)).length;
  const value = Buffer.alloc(LARGE_BYTES, 'large');
  const { data } = await other.request('echo', value, { timeout: 10_000 });
  await Promise.all([one.drain(), other.drain()]);
  report({ heard, answers, large: value.equals(data) });
}

void main();

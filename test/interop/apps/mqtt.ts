// A program that talks by MQTT: `node mqtt.js PLACE` (MqttPlace as JSON).
import { connect } from 'tripoll/node';
import { load } from '../packages.js';
import { report } from '../report.js';

/** Where the broker is, and how it is reached. */
export interface MqttPlace {
  readonly host: string;
  readonly port: number;
  /** The certificate that the broker must have; without it, no TLS. */
  readonly ca?: string;
  /** Whether it is given its sockets by our `connect`. */
  readonly byOption: boolean;
}

interface Client extends NodeJS.EventEmitter {
  readonly stream: { destroy(): void };
  publishAsync(topic: string, message: string | Buffer, options: { qos: number }): Promise<unknown>;
  subscribeAsync(topic: string, options: { qos: number }): Promise<unknown>;
  endAsync(): Promise<void>;
}
interface Mqtt {
  connect(url: string, options: object): Client;
  readonly MqttClient: new (streamBuilder: () => unknown, options: object) => Client;
}
const mqtt = load<Mqtt>('mqtt');

const { host, port, ca, byOption } = JSON.parse(process.argv[2]!) as MqttPlace;

async function open(options: object): Promise<Client> {
  const more = { reconnectPeriod: 0, ...options };
  const tls = ca === undefined ? {} : { ca, checkServerIdentity: () => undefined };
  const scheme = ca === undefined ? 'mqtt' : 'mqtts';
  const client = byOption
    ? new mqtt.MqttClient(() => connect({ host, port }), more)
    : mqtt.connect(`${scheme}://${host}:${port}`, { ...more, ...tls });
  await new Promise((resolve, reject) => {
    client.on('connect', resolve).on('error', reject);
  });
  return client;
}

const MESSAGES = 300;
const LARGE_BYTES = 8_000_000;

/** What comes to a topic, as many as are waited for. */
async function listen(
  client: Client,
  topic: string,
  qos: number,
  count: number,
): Promise<() => Promise<Buffer[]>> {
  const heard: Buffer[] = [];
  const all = new Promise<Buffer[]>((resolve) => {
    client.on('message', (of: string, message: Buffer) => {
      if (of === topic && heard.push(message) === count) resolve(heard);
    });
  });
  await client.subscribeAsync(topic, { qos });
  return () => all;
}

async function main(): Promise<void> {
  const subscriber = await open({});
  const publisher = await open({});
  const inOrder: boolean[] = [];
  const message = (i: number): string => `${i} ${'m'.repeat(i * 10)}`;
  for (const qos of [0, 1, 2]) {
    const topic = `news/${qos}`;
    const heard = await listen(subscriber, topic, qos, MESSAGES);
    await Promise.all(
      Array.from({ length: MESSAGES }, (_, i) => publisher.publishAsync(topic, message(i), { qos })),
    );
    inOrder.push((await heard()).every((text, i) => text.toString() === message(i)));
  }
  const large = await listen(subscriber, 'large', 1, 1);
  const value = Buffer.alloc(LARGE_BYTES, 'large');
  await publisher.publishAsync('large', value, { qos: 1 });
  const [got] = await large();

  const will = await listen(subscriber, 'wills', 1, 1);
  const lost = await open({ will: { topic: 'wills', payload: Buffer.from('gone'), qos: 1 } });
  lost.stream.destroy();
  const [last] = await will();
  await Promise.all([subscriber.endAsync(), publisher.endAsync()]);
  report({ inOrder, large: value.equals(got!), will: last!.toString() });
}

void main();

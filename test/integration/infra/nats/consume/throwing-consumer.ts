/** Runs in its own thread: pulls from a consumer, and throws at the first message. */
import { workerData } from 'node:worker_threads';
import { jetstream } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { pino } from 'pino';
import { consume } from '#infra/nats/consume/consume.ts';

const { url } = workerData as { url: string };
await consume({
  js: jetstream(await connect({ servers: url })),
  stream: 'S',
  consumer: 'c',
  ahead: 10,
  onMessage: () => {
    throw new Error('a bug');
  },
  onDeleted: () => {},
  onPullLost: () => {},
  log: pino({ level: 'silent' }),
});

import type { TestContext } from 'node:test';
import {
  type JetStreamClient,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
} from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import type { Settings } from '#config/sections.ts';
import { systemClock } from '#infra/system-clock.ts';
import type { Clock } from '#domain/clock.ts';
import { connectNats } from '#infra/nats/connection.ts';
import { NatsPayloadStore } from '#infra/nats/stores/nats-payload-store.ts';
import type { PayloadStore } from '#infra/payload-store.ts';
import { Publisher } from '#infra/nats/publish/publisher.ts';
import { RecordBatcher } from '#infra/nats/publish/record-batcher.ts';
import { ensureTopology } from '#infra/nats/streams/streams.ts';
import { type Log, createLog } from '#infra/telemetry/log.ts';
import type { NatsAccess } from '#src/embedded/nats-server.ts';
import { type TestServer, startNatsServer } from '#testkit/servers.ts';
import { type SettingsChanges, testSettings } from '#testkit/test-settings.ts';
import { type HistoryRecord, decodeRecords } from '#wire/frames/record.ts';
import { streams } from '#wire/subjects.ts';

export const log: Log = createLog(process.env['TEST_LOG_LEVEL'] ?? 'silent');

/** A nats-server for one test with all streams, and the dependencies of every plane. */
export interface NatsCore {
  server: { url: string; kill: TestServer['kill'] };
  nc: NatsConnection;
  js: JetStreamClient;
  jsm: JetStreamManager;
  settings: Settings;
  publisher: Publisher;
  records: RecordBatcher;
  payloads: PayloadStore;
  clock: Clock;
  log: Log;
  /** With SIGKILL: no client is notified. */
  killServer: () => Promise<void>;
  /** On the same port and folder. */
  restartServer: () => Promise<void>;
  /** Another connection, closed with the test. */
  connect: () => Promise<NatsConnection>;
  /** Every record in the streams, in stream order. */
  storedRecords: () => Promise<HistoryRecord[]>;
}

export interface NatsCoreOptions {
  settings?: SettingsChanges;
  window?: number;
  /** Users that may connect; absent: any client. */
  access?: NatsAccess;
  /** `max_file_store` of the server; absent: only the disk is the limit. */
  fileStoreBytesMax?: number;
}

export async function startNatsCore(
  t: Pick<TestContext, 'after'>,
  options: NatsCoreOptions = {},
): Promise<NatsCore> {
  const settings = testSettings(options.settings);
  const { access, fileStoreBytesMax } = options;
  let server = await startNatsServer({
    ...(access === undefined ? {} : { access }),
    ...(fileStoreBytesMax === undefined ? {} : { fileStoreBytesMax }),
  });
  const { url } = server;
  const connections: NatsConnection[] = [];
  const connect = async (): Promise<NatsConnection> => {
    const nc = await connectNats(url, 'test', log, access);
    connections.push(nc);
    return nc;
  };
  const nc = await connect();
  const js = jetstream(nc);
  const jsm = await jetstreamManager(nc);
  await ensureTopology(js, jsm, settings.streams);
  const window = options.window ?? settings.publishWindow;
  const publisher = new Publisher({ nc, window, clock: systemClock, log });
  const { shards } = settings.streams;
  const records = new RecordBatcher({ publisher, shards, clock: systemClock, log });
  t.after(async () => {
    publisher.close();
    for (const connection of connections) await connection.close();
    await server.dispose();
  });
  return {
    server: { url, kill: (signal) => server.kill(signal) },
    killServer: () => server.kill('SIGKILL'),
    restartServer: async () => {
      server = await server.restart();
    },
    nc,
    js,
    jsm,
    settings,
    publisher,
    records,
    payloads: new NatsPayloadStore({ js, jsm }),
    clock: systemClock,
    log,
    connect,
    storedRecords: async () => {
      const stored: HistoryRecord[] = [];
      for (let shard = 0; shard < shards; shard++) {
        for (const { data } of await storedMessages(jsm, streams.records(shard))) {
          stored.push(...decodeRecords(data));
        }
      }
      return stored;
    },
  };
}

export interface StoredMessage {
  seq: number;
  subject: string;
  messageId: string;
  data: Buffer;
}

/** Reads the current messages of a stream. */
export async function storedMessages(
  jsm: JetStreamManager,
  stream: string,
): Promise<StoredMessage[]> {
  const { state } = await jsm.streams.info(stream);
  const messages: StoredMessage[] = [];
  for (let seq = state.first_seq; seq <= state.last_seq && state.messages > 0; seq++) {
    const message = await jsm.direct.getMessage(stream, { seq });
    if (message === null) continue;
    const { subject, header } = message;
    const messageId = header.get('Nats-Msg-Id');
    messages.push({ seq, subject, messageId, data: Buffer.from(message.data) });
  }
  return messages;
}

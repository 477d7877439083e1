/**
 * The operations of `nats stream backup` and `nats stream restore`, through the same API, so that a
 * restore is tested on machines without that tool.
 * https://github.com/nats-io/nats-architecture-and-design (ADR on JetStream JSON API, stream
 * snapshot and restore)
 */
import { jetstreamManager } from '@nats-io/jetstream';
import { createInbox, type Msg, type NatsConnection } from '@nats-io/nats-core';

const REQUEST_TIMEOUT_MS = 10_000;
const CHUNK_BYTES = 128 * 1024;

/** A stream with its consumers, as packed by the server. */
export interface StreamBackup {
  name: string;
  /** Configuration and state of the stream at the start of the backup; the restore needs them. */
  config: object;
  state: object;
  chunks: Uint8Array[];
}

/**
 * Name prefixes in the order in which the streams feed each other. All other streams come after
 * them.
 */
const FLOW = ['BCAST', 'DEDUP', 'EV-', 'KV_BEHIND', 'DLV-'];

/**
 * Backs up every stream while the server runs, each before those that it feeds. A message that
 * moves on during the backup is then in both backups, and is delivered twice, rather than in
 * neither.
 */
export async function backUpStreams(connection: NatsConnection): Promise<StreamBackup[]> {
  const manager = await jetstreamManager(connection);
  const names: string[] = [];
  for await (const { config } of manager.streams.list()) names.push(config.name);
  const rank = (name: string): number => {
    const at = FLOW.findIndex((prefix) => name.startsWith(prefix));
    return at < 0 ? FLOW.length : at;
  };
  const backups: StreamBackup[] = [];
  for (const name of names.toSorted((a, b) => rank(a) - rank(b))) {
    backups.push(await backUpStream(connection, name));
  }
  return backups;
}

async function backUpStream(connection: NatsConnection, name: string): Promise<StreamBackup> {
  const inbox = createInbox();
  const subscription = connection.subscribe(inbox);
  const { config, state } = await ask(connection, `$JS.API.STREAM.SNAPSHOT.${name}`, {
    deliver_subject: inbox,
    chunk_size: CHUNK_BYTES,
  });
  const chunks: Uint8Array[] = [];
  for await (const message of subscription) {
    if (message.data.length === 0) break; // The end.
    chunks.push(message.data.slice());
    message.respond(); // The server sends on for as many as are acknowledged.
  }
  return { name, config: config as object, state: state as object, chunks };
}

/** Creates a missing stream from its backup. @throws Error if the server refuses it */
export async function restoreStream(
  connection: NatsConnection,
  backup: StreamBackup,
): Promise<void> {
  const { config, state } = backup;
  const subject = `$JS.API.STREAM.RESTORE.${backup.name}`;
  const { deliver_subject: to } = await ask(connection, subject, { config, state });
  for (const chunk of backup.chunks) {
    answered(await connection.request(String(to), chunk, { timeout: REQUEST_TIMEOUT_MS }));
  }
  answered(await connection.request(String(to), new Uint8Array(), { timeout: REQUEST_TIMEOUT_MS }));
}

async function ask(
  connection: NatsConnection,
  subject: string,
  body: object,
): Promise<Record<string, unknown>> {
  const timeout = REQUEST_TIMEOUT_MS;
  return answered(await connection.request(subject, JSON.stringify(body), { timeout }));
}

function answered(message: Msg): Record<string, unknown> {
  if (message.data.length === 0) return {};
  const answer = message.json<Record<string, unknown>>();
  if (answer['error'] !== undefined) throw new Error(JSON.stringify(answer['error']));
  return answer;
}

/**
 * Brings one key of the bucket CONFIG up to what MongoDB holds.
 *
 * Any number of processes may do this at once, for the same key, however slowly. A writer reads the key,
 * then MongoDB, then writes on the condition that the key is still as it was read. So what it writes was
 * read from MongoDB after whatever it replaces, and the bucket only ever moves forward; who loses the race
 * reads both again. Every change in MongoDB is followed by at least one run, so the last state gets there.
 */
import type { KV } from '@nats-io/kv';
import { apiErrorCode } from '#infra/nats/streams.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { ConfigSnapshot } from './snapshot-reader.ts';

/** Each lost race is another writer's success: more than a few in a row are not to be expected. */
const TRIES_MAX = 50;
const READ_TIMEOUT_MS = 30_000;
/** nats-server, server/errors.json: JSStreamWrongLastSequenceErrF and its constant form. */
const WRONG_LAST_SEQUENCE = new Set([10_071, 10_164]);

export interface ConfigWriterDeps {
  openBucket: () => Promise<KV>;
  read: (key: string) => Promise<ConfigSnapshot | undefined>;
  log: Log;
}

export class ConfigWriter {
  private readonly deps: ConfigWriterDeps;
  private bucket: KV | undefined;

  constructor(deps: ConfigWriterDeps) {
    this.deps = deps;
  }

  /** @throws whatever MongoDB or NATS throw; the key is then as it was, or as it should be */
  async sync(key: string): Promise<void> {
    const kv = await this.open();
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      if (await this.syncOnce(kv, key)) return;
    }
    throw new Error(`the key ${key} changed ${TRIES_MAX} times while it was being written`);
  }

  /** Every key that is there, with its revision; undefined for a value that this version does not write. */
  async readRevisions(): Promise<Map<string, number | undefined>> {
    const kv = await this.open();
    const revisions = new Map<string, number | undefined>();
    const entries = await kv.history({ key: '>' });
    const timer = setTimeout(
      () => entries.stop(new Error('the bucket CONFIG could not be read in time')),
      READ_TIMEOUT_MS,
    );
    try {
      for await (const entry of entries) {
        if (entry.operation === 'PUT') revisions.set(entry.key, revisionOf(entry.string()));
        else revisions.delete(entry.key);
      }
    } finally {
      clearTimeout(timer);
    }
    return revisions;
  }

  /** True where the key is as it should be; false where another writer came between. */
  private async syncOnce(kv: KV, key: string): Promise<boolean> {
    const entry = await kv.get(key);
    // Only after the key: see above.
    const wanted = await this.deps.read(key);
    const there = entry?.operation === 'PUT' ? entry.string() : undefined;
    try {
      if (wanted === undefined) {
        if (there !== undefined) await kv.delete(key, { previousSeq: entry?.revision as number });
        return true;
      }
      const value = JSON.stringify(wanted);
      if (there === value || this.isBehind(key, wanted, there)) return true;
      await kv.put(key, value, { previousSeq: entry?.revision ?? 0 });
      return true;
    } catch (error) {
      if (WRONG_LAST_SEQUENCE.has(apiErrorCode(error) ?? 0)) return false;
      throw error;
    }
  }

  /**
   * MongoDB behind the bucket: it was restored from a backup, or this reader was sent to a member that is
   * behind. A lower revision never replaces a higher one; the next change of the resource will.
   */
  private isBehind(key: string, wanted: ConfigSnapshot, there: string | undefined): boolean {
    const revision = there === undefined ? undefined : revisionOf(there);
    if (revision === undefined || revision <= wanted.rev) return false;
    const facts = { key, bucket_revision: revision, database_revision: wanted.rev };
    this.deps.log.warn(facts, 'config.database_behind');
    return true;
  }

  private async open(): Promise<KV> {
    this.bucket ??= await this.deps.openBucket();
    return this.bucket;
  }
}

function revisionOf(json: string): number | undefined {
  try {
    const value = JSON.parse(json) as { v?: unknown; rev?: unknown };
    return value.v === 1 && typeof value.rev === 'number' ? value.rev : undefined;
  } catch {
    return undefined;
  }
}

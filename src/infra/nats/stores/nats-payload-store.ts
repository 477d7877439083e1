import type {
  DirectBatchOptions,
  JetStreamClient,
  JetStreamManager,
  StoredMsg,
} from '@nats-io/jetstream';
import { type ObjectResult, type ObjectStore, Objm } from '@nats-io/obj';
import {
  PayloadDamagedError,
  type PayloadStore,
  type StoredPayload,
} from '#infra/payload-store.ts';
import { buckets } from '#wire/subjects.ts';
import { readBatch } from '../consume/read-batch.ts';

/** Half of the server's default limit for a message: fewer and larger chunks are faster. */
const CHUNK_BYTES = 512 * 1024;
const READ_TIMEOUT_MS = 20_000;
const CONTENT_TYPE = 'content-type';
const KEYS_AT_ONCE = 500;
const NOT_FOUND = 404;

/**
 * Payloads in a NATS object store: the bucket PAYLOADS, backed by a stream (nats-server, ADR-20).
 */
export class NatsPayloadStore implements PayloadStore {
  private readonly js: JetStreamClient;
  private readonly jsm: JetStreamManager;
  private opened: Promise<ObjectStore> | undefined;

  constructor(deps: { js: JetStreamClient; jsm: JetStreamManager }) {
    this.js = deps.js;
    this.jsm = deps.jsm;
  }

  async put(key: string, bytes: Uint8Array, contentType: string): Promise<void> {
    const store = await this.open();
    const options = { max_chunk_size: CHUNK_BYTES };
    await store.putBlob({ name: key, options, metadata: { [CONTENT_TYPE]: contentType } }, bytes);
  }

  async size(key: string): Promise<number | undefined> {
    const info = await (await this.open()).info(key);
    if (info === null || info.deleted || !(await this.isWhole(info))) return undefined;
    return info.size;
  }

  async get(key: string): Promise<StoredPayload | undefined> {
    const store = await this.open();
    const info = await store.info(key);
    // The reader of the object store never returns if a chunk is missing.
    if (info === null || info.deleted || !(await this.isWhole(info))) return undefined;
    const result = await store.get(key);
    if (result === null) return undefined;
    const bytes = await readWhole(key, result);
    return { bytes, contentType: info.metadata?.[CONTENT_TYPE] ?? 'application/octet-stream' };
  }

  async removeOf(owners: ReadonlySet<string>): Promise<void> {
    const store = await this.open();
    // Names are encoded in the subjects, so no filter selects the objects of one owner.
    for await (const key of this.keys()) {
      if (owners.has(key.slice(0, key.indexOf('/')))) await store.delete(key);
    }
  }

  private async *keys(): AsyncIterable<string> {
    const query = { next_by_subj: `$O.${buckets.payloads}.M.*`, batch: KEYS_AT_ONCE };
    for (let seq = 1; ;) {
      const page = await this.page({ ...query, seq });
      for (const message of page) {
        const { name, deleted } = message.json<{ name: string; deleted?: boolean }>();
        if (deleted !== true) yield name;
        seq = message.seq + 1;
      }
      if (page.length === 0) return;
    }
  }

  private async page(query: DirectBatchOptions): Promise<StoredMsg[]> {
    try {
      return await readBatch(this.jsm, `OBJ_${buckets.payloads}`, query);
    } catch (error) {
      // A missing object is reported as an error.
      if ((error as { code?: unknown }).code !== NOT_FOUND) throw error;
      return [];
    }
  }

  /** Chunks expire, and can be purged, independently of the entry that names them. */
  private async isWhole({ nuid, chunks }: { nuid: string; chunks: number }): Promise<boolean> {
    if (chunks === 0) return true;
    const subject = `$O.${buckets.payloads}.C.${nuid}`;
    const { state } = await this.jsm.streams.info(`OBJ_${buckets.payloads}`, {
      subjects_filter: subject,
    });
    return state.subjects?.[subject] === chunks;
  }

  private open(): Promise<ObjectStore> {
    this.opened ??= new Objm(this.js).open(buckets.payloads, false).catch((error: unknown) => {
      this.opened = undefined;
      throw error;
    });
    return this.opened;
  }
}

async function readWhole(key: string, { info, data, error }: ObjectResult): Promise<Buffer> {
  // The reader reports this error too.
  error.catch(() => undefined);
  const bytes = Buffer.allocUnsafe(info.size);
  const reader = data.getReader();
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    void reader.cancel();
  }, READ_TIMEOUT_MS);
  let at = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      if (at + value.length > bytes.length) throw new PayloadDamagedError(key);
      bytes.set(value, at);
      at += value.length;
    }
  } catch (fault) {
    const isCorrupt = fault instanceof Error && fault.message.includes('corrupt');
    throw isCorrupt ? new PayloadDamagedError(key, fault) : fault;
  } finally {
    clearTimeout(timer);
    void reader.cancel().catch(() => undefined);
  }
  if (timedOut) throw new Error(`the payload ${key} was not read in time`);
  if (at !== bytes.length) throw new PayloadDamagedError(key);
  return bytes;
}

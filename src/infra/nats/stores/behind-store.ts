/**
 * The bucket BEHIND: for each shard, the tenants whose events are acked before they are routed
 * (`router/behind/`). A key is written on condition of its previous revision, so a router that lost
 * its shard cannot change what its successor wrote.
 */
import type { JetStreamManager } from '@nats-io/jetstream';
import type { Clock } from '#domain/clock.ts';
import { newId } from '#domain/ids.ts';
import { type BehindState, decodeBehindState, encodeBehindState } from '#wire/behind-state.ts';
import { buckets, subjects } from '#wire/subjects.ts';
import { isWriteConflict } from '../api-errors.ts';
import type { Publisher } from '../publish/publisher.ts';

const WRITE_TIMEOUT_MS = 5000;

export interface StoredBehindState {
  /** Condition of the next write. */
  revision: number;
  /** Undefined: the key was deleted. */
  state: BehindState | undefined;
}

export interface BehindStoreDeps {
  publisher: Pick<Publisher, 'publishAsync'>;
  jsm: JetStreamManager;
  clock: Clock;
}

export class BehindStore {
  private readonly deps: BehindStoreDeps;

  constructor(deps: BehindStoreDeps) {
    this.deps = deps;
  }

  /** @throws if NATS does not answer, SyntaxError */
  read(shard: number): Promise<StoredBehindState | undefined> {
    return readBehind(this.deps.jsm, shard);
  }

  /**
   * Resolves with the new revision; undefined if the key is no longer at `revision`.
   *
   * @param revision 0: there is no key yet
   * @throws PublishTimeoutError, after which the state may be stored or not; PublishRefusedError
   */
  async write(shard: number, state: BehindState, revision: number): Promise<number | undefined> {
    const { publisher, clock } = this.deps;
    try {
      const ack = await publisher.publishAsync({
        subject: subjects.behind(shard),
        payload: encodeBehindState(state),
        // A new id for each write: it de-duplicates a write that is sent again because its ack was
        // late.
        messageId: newId('bh', clock.wallMs()),
        timeoutMs: WRITE_TIMEOUT_MS,
        expectedSeq: revision,
      });
      return ack.seq;
    } catch (error) {
      if (isWriteConflict(error)) return undefined;
      throw error;
    }
  }
}

/**
 * Reads the tenants of a shard that are behind, from the leader of the bucket: a replica may lag.
 *
 * @throws if NATS does not answer, SyntaxError
 */
export async function readBehind(
  jsm: JetStreamManager,
  shard: number,
): Promise<StoredBehindState | undefined> {
  const query = { last_by_subj: subjects.behind(shard) };
  const message = await jsm.streams.getMessage(`KV_${buckets.behind}`, query);
  if (message === null) return undefined;
  const state = message.data.length === 0 ? undefined : decodeBehindState(message.data);
  return { revision: message.seq, state };
}

/**
 * Reads messages that producers sent over NATS without a reply subject and that were rejected
 * (IN-4), from the stream REJECTED.
 */
import { isUtf8 } from 'node:buffer';
import type { JetStreamManager } from '@nats-io/jetstream';
import { PosthornError } from '#domain/errors.ts';
import { isNoneLeft } from '#infra/nats/api-errors.ts';
import { readBatch } from '#infra/nats/consume/read-batch.ts';
import type { PageQuery } from '#wire/api/page.ts';
import type { RejectedEvent } from '#wire/api/rejected-event.ts';
import type { ConfigView } from '#wire/config-snapshot.ts';
import {
  boundList,
  cursorInvalid,
  decodeCursor,
  type Page,
  type PageSort,
  toPage,
} from '#wire/pagination.ts';
import { type RejectedFrame, decodeRejectedFrame } from '#wire/frames/rejected-event.ts';
import { streams, subjects } from '#wire/subjects.ts';

const SORT: PageSort = { name: 'rejected_events', fields: ['number'] };

export interface RejectedEventsDeps {
  /** Opened on first use: control starts while NATS is unavailable. */
  jsm: () => Promise<JetStreamManager>;
  config: Pick<ConfigView, 'eventType'>;
}

export class RejectedEvents {
  private readonly deps: RejectedEventsDeps;

  constructor(deps: RejectedEventsDeps) {
    this.deps = deps;
  }

  /**
   * Lists the messages of one life, oldest first; the cursor is a sequence of the stream.
   *
   * @throws PosthornError POSTHORN_NATS_UNAVAILABLE
   */
  async list(lifeId: string, query: PageQuery): Promise<Page<RejectedEvent>> {
    const { cursor, limit } = query;
    const list = boundList(SORT, lifeId, query);
    const after = cursor === undefined ? 0 : (decodeCursor(list, cursor)[0] as number);
    if (after < 0) throw cursorInvalid('is not a cursor of this list');
    const found = await this.read(lifeId, after + 1, limit + 1);
    const config = this.deps.config;
    return toPage(
      found,
      limit,
      list,
      ({ seq }) => [seq],
      ({ frame }) => toResource(frame, config.eventType(frame.head.type)?.sensitive === true),
    );
  }

  private async read(
    lifeId: string,
    seq: number,
    batch: number,
  ): Promise<{ seq: number; frame: RejectedFrame }[]> {
    const found: { seq: number; frame: RejectedFrame }[] = [];
    try {
      const jsm = await this.deps.jsm();
      const next = { seq, next_by_subj: subjects.rejected(lifeId), batch };
      for (const message of await readBatch(jsm, streams.rejected, next)) {
        found.push({ seq: message.seq, frame: decodeRejectedFrame(message.data) });
      }
    } catch (error) {
      if (isNoneLeft(error)) return found;
      throw new PosthornError('POSTHORN_NATS_UNAVAILABLE', { cause: error });
    }
    return found;
  }
}

function toResource({ head, body }: RejectedFrame, hidden: boolean): RejectedEvent {
  const text = isUtf8(body);
  return {
    id: head.id,
    event_type: head.type,
    rejected_at: new Date(head.rejectedMs).toISOString(),
    problem: head.problem,
    byte_count: head.bytes,
    body: hidden ? null : body.toString(text ? 'utf8' : 'base64'),
    body_encoding: hidden || text ? null : 'base64',
    data_hidden: hidden,
  };
}

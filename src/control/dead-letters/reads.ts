/** Reads dead letters for the API (DL-10): lists, groups, and single ones. */
import type { VisibleTypes } from '#domain/event/visible-types.ts';
import { ofVisible } from '#infra/mongo/visible-types.ts';
import { notFound } from '#domain/field-faults.ts';
import type { DeadLetterStatus } from '#domain/outcome/delivery.ts';
import type { DeadLetterDocument } from '#infra/mongo/documents.ts';
import type {
  DeadLetterGroups,
  DeadLetterListQuery,
  DeadLetterSummary,
} from '#wire/api/dead-letter.ts';
import { decodeEventFrame } from '#wire/frames/event-frame.ts';
import { boundList, type Page, toPage } from '#wire/pagination.ts';
import type { AttemptResource } from '#wire/api/delivery.ts';
import type { AttemptRecord } from '#wire/frames/record.ts';
import { hideResponse, recordToResource } from '../history/attempt-reads.ts';
import { type HistoryReadDeps, dataMember, toPayloadResource } from '../history/event-reads.ts';
import { SEARCH_MS_MAX } from '../history/fair-searches.ts';
import { afterCursor, timeOrder, timeSort } from '../history/time-order.ts';
import { queryRange } from '../history/time-range.ts';
import { selected } from './selection.ts';

const SORT = timeSort('dead_letters');
const GROUPS_MAX = 1000;

/** Without the event and the response: those are shown only for a single dead letter. */
type Listed = Omit<DeadLetterDocument, 'frame' | 'last_attempt'>;

export class DeadLetterReads {
  private readonly deps: HistoryReadDeps;

  constructor(deps: HistoryReadDeps) {
    this.deps = deps;
  }

  /** Newest first. */
  async list(
    lifeId: string,
    query: DeadLetterListQuery,
    visible: VisibleTypes,
  ): Promise<Page<DeadLetterSummary>> {
    const { limit, order } = query;
    const list = boundList(SORT, lifeId, query);
    const range = queryRange(query, 'failed_at');
    const conditions: object[] = [selected(lifeId, query, range), ofStatus(query.status)];
    conditions.push(ofVisible('type', visible), ...afterCursor(list, query, 'at'));
    const letters = await this.deps.searches.run(lifeId, () =>
      this.deps.history.deadLetters
        .find({ $and: conditions }, { maxTimeMS: SEARCH_MS_MAX })
        .project<Listed>({ frame: 0, last_attempt: 0 })
        .sort(timeOrder('at', order))
        .limit(limit + 1)
        .toArray(),
    );
    return toPage(letters, limit, list, ({ at, _id }) => [at.getTime(), _id], summarize);
  }

  /** Groups the dead letters that were neither replayed nor discarded by endpoint and cause. */
  async groups(lifeId: string): Promise<DeadLetterGroups> {
    type Group = Pick<DeadLetterDocument, 'endpoint' | 'reason' | 'cause'>;
    const groups = await this.deps.searches.run(lifeId, () =>
      this.deps.history.deadLetters
        .aggregate<{ _id: Group; count: number; first: Date; last: Date }>(
          [
            { $match: { tenant: lifeId, discarded_at: null, replayed_at: null } },
            {
              $group: {
                _id: { endpoint: '$endpoint', reason: '$reason', cause: '$cause' },
                count: { $sum: 1 },
                first: { $min: '$at' },
                last: { $max: '$at' },
              },
            },
            { $sort: { count: -1, _id: 1 } },
            { $limit: GROUPS_MAX },
          ],
          { maxTimeMS: SEARCH_MS_MAX },
        )
        .toArray(),
    );
    return {
      data: groups.map(({ _id, count, first, last }) => ({
        endpoint_id: _id.endpoint,
        reason: _id.reason,
        cause: _id.cause,
        count,
        first_at: first.toISOString(),
        last_at: last.toISOString(),
      })),
    };
  }

  /**
   * Returns the dead letter as JSON text, with the event's `data` byte for byte as it was
   * published.
   */
  async getJson(lifeId: string, id: string): Promise<string> {
    const letter = await this.find(lifeId, id);
    const { last_attempt: attempt } = letter;
    const shown = {
      ...summarize(letter),
      last_attempt: attempt === null ? null : this.showAttempt(letter, attempt),
    };
    return `${JSON.stringify(shown).slice(0, -1)},"event":${this.eventJson(letter)}}`;
  }

  /** @throws PosthornError POSTHORN_RESOURCE_UNKNOWN */
  async find(lifeId: string, id: string): Promise<DeadLetterDocument> {
    const open = { _id: id, tenant: lifeId, discarded_at: null };
    const letter = await this.deps.history.deadLetters.findOne(open);
    if (letter !== null) return letter;
    throw notFound('dead letter', id);
  }

  private showAttempt({ type }: DeadLetterDocument, attempt: AttemptRecord): AttemptResource {
    const shown = recordToResource(attempt);
    return this.deps.config.eventType(type)?.sensitive === true ? hideResponse(shown) : shown;
  }

  private eventJson({ frame }: DeadLetterDocument): string {
    if (frame === null) return 'null';
    const { head, data } = decodeEventFrame(frame.value());
    const hidden = this.deps.config.eventType(head.type)?.sensitive === true;
    const { id, type, source, time, kind } = head;
    const payload = toPayloadResource(head.payload);
    const json = JSON.stringify({
      id,
      event_type: type,
      source,
      time,
      payload,
      data_hidden: hidden,
    });
    if (hidden) return json;
    const text = data.toString(kind === 'binary' ? 'base64' : 'utf8');
    const stored: Parameters<typeof dataMember>[0] = { kind, data: text };
    if (head.noData === true) stored.no_data = true;
    if (head.payload !== undefined) stored.payload = head.payload;
    return `${json.slice(0, -1)}${dataMember(stored)}}`;
  }
}

function ofStatus(statuses: readonly DeadLetterStatus[] | undefined): object {
  if (statuses === undefined || new Set(statuses).size > 1) return {};
  return { replayed_at: statuses[0] === 'replayed' ? { $ne: null } : null };
}

function summarize(letter: Listed): DeadLetterSummary {
  return {
    id: letter._id,
    status: letter.replayed_at === null ? 'open' : 'replayed',
    event_id: letter.event,
    event_type: letter.type,
    endpoint_id: letter.endpoint,
    reason: letter.reason,
    cause: letter.cause,
    attempt_count: letter.attempt_count,
    accepted_at: letter.accepted_at.toISOString(),
    failed_at: letter.at.toISOString(),
    replayed_at: letter.replayed_at?.toISOString() ?? null,
    replay_delivery_id: letter.replay,
  };
}

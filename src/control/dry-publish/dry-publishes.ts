/** Explains the effect of an event on all endpoints of a tenant, and stores nothing (IN-17). */
import type { Clock } from '#domain/clock.ts';
import { isPosthornError, type PosthornError } from '#domain/errors.ts';
import { tenantNotFound } from '#domain/field-faults.ts';
import { tenantIdOf } from '#domain/tenant.ts';
import type { JsonMember } from '#infra/http/server/body/parse-json-bodies.ts';
import { JsonTurns } from '#infra/json-turns.ts';
import { parseDataInSlices } from '#infra/parse-data-in-slices.ts';
import type { DryPublishResult } from '#wire/api/dry-publish/dry-publish.ts';
import type { PageQuery } from '#wire/api/page.ts';
import type { ConfigView } from '#wire/config-snapshot.ts';
import { boundList, decodeCursor, type PageSort, toPage } from '#wire/pagination.ts';
import { problemOf } from '#wire/problem.ts';
import type { Admission } from '#wire/published/admission.ts';
import { eventForFilter, isBuiltInTurns } from '#wire/published/event-for-filter.ts';
import { explainInTurns } from '../history/event-explanations.ts';
import { admitSample } from '../resources/dry-run.ts';

const SORT: PageSort = { name: 'dry_publish', fields: ['string'] };

export interface DryPublishesDeps {
  admission: Admission;
  config: Pick<ConfigView, 'tenant'>;
  eventBytesMax: number;
  clock: Clock;
}

export interface DryPublishRequest {
  lifeId: string;
  event: JsonMember;
  query: PageQuery;
  correlationId: string;
  /** Path of the request. */
  path: string;
}

export class DryPublishes {
  private readonly deps: DryPublishesDeps;
  private readonly turns = new JsonTurns();

  constructor(deps: DryPublishesDeps) {
    this.deps = deps;
  }

  /**
   * Reads, admits and matches an event as ingress and the routers do. A refusal of publishing is a
   * result.
   *
   * @throws PosthornError POSTHORN_TENANT_UNKNOWN, POSTHORN_CURSOR_INVALID,
   * POSTHORN_DATA_NOT_CHECKED, POSTHORN_OVERLOADED
   */
  async explain(request: DryPublishRequest): Promise<DryPublishResult> {
    const { lifeId, event, query, correlationId } = request;
    const { config, clock, admission, eventBytesMax } = this.deps;
    const list = boundList(SORT, lifeId, query);
    const after = query.cursor === undefined ? '' : decodeCursor(list, query.cursor)[0];
    const snapshot = config.tenant(lifeId);
    if (snapshot === undefined) throw tenantNotFound(tenantIdOf(lifeId));
    const nowMs = clock.wallMs();
    const judged_at = new Date(nowMs).toISOString();
    const context = { tenant: snapshot, admission, eventBytesMax, nowMs, correlationId };
    const admitted = await admitSample(event, context).catch(refusalOf);
    if (isPosthornError(admitted)) {
      const error = problemOf(admitted, request.path, correlationId);
      const nothing = { event_type: null, type_registered: null, priority: null };
      return { accepted: false, error, ...nothing, judged_at, data: [], next_cursor: null };
    }
    const { head } = admitted;
    const page = toPage(
      snapshot.endpoints.filter(({ id }) => id > String(after)),
      query.limit,
      list,
      ({ id }) => [id],
      (each) => each,
    );
    const explained = { endpoints: page.data, subscriptions: snapshot.subscriptions };
    const view = isBuiltInTurns(admitted)
      ? eventForFilter(admitted, () => 'all', {
          value: await parseDataInSlices(this.turns, lifeId, Buffer.from(admitted.data), 'all'),
        })
      : eventForFilter(admitted);
    return {
      accepted: true,
      error: null,
      event_type: head.type,
      type_registered: !admission.isAutomatic(head),
      priority: head.priority ?? 'normal',
      judged_at,
      data: await explainInTurns(explained, head.type, view, clock),
      next_cursor: page.next_cursor,
    };
  }
}

/** @throws an error that is no refusal of the event */
function refusalOf(error: unknown): PosthornError {
  if (isPosthornError(error) && error.status < 500) return error;
  throw error;
}

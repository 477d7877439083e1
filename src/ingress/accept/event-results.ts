import { Counter, Histogram, type Registry } from 'prom-client';
import type { PosthornError } from '#domain/errors.ts';
import { classifyError } from '#infra/http/server/classify-error.ts';
import type { Accepted } from './accepted.ts';
import type { RefusalLog, RefusedRequest } from '../http/refusal-log.ts';

const RESULTS = ['accepted', 'replayed', 'deduplicated', 'refused', 'not_stored'] as const;
type Result = (typeof RESULTS)[number];

/** JetStream stores within milliseconds; a publication fails after seconds. */
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Counts events by result, measures accepted ones, and logs rejected ones. */
export class EventResults {
  private readonly results: Counter<'result'>;
  private readonly duration: Histogram;
  private readonly refusals: RefusalLog;

  constructor(deps: { registry: Registry; refusals: RefusalLog }) {
    this.refusals = deps.refusals;
    this.results = new Counter({
      name: 'posthorn_ingress_events_total',
      help: 'Events at ingress, by result.',
      labelNames: ['result'],
      registers: [deps.registry],
    });
    this.duration = new Histogram({
      name: 'posthorn_ingress_publish_duration_seconds',
      help: 'From the moment an accepted event was read until it was stored (202).',
      buckets: SECONDS,
      registers: [deps.registry],
    });
    // Start at 0: a series that begins at its first failure would hide that failure from `rate`.
    for (const result of RESULTS) this.results.inc({ result }, 0);
  }

  /** @param tookMs since the event was read */
  count(
    error: PosthornError | undefined,
    accepted: Accepted | undefined,
    request: RefusedRequest,
    tookMs: number,
  ): void {
    if (accepted !== undefined) this.duration.observe(tookMs / 1000);
    const result = resultOf(error, accepted);
    if (error !== undefined && result === 'refused') this.refused(error, request);
    else this.results.inc({ result });
  }

  /** @param thrown the error of an event, also of one that could not be read */
  refused(thrown: unknown, request: RefusedRequest): void {
    this.results.inc({ result: 'refused' });
    this.refusals.add(classifyError(thrown), request);
  }
}

function resultOf(error: PosthornError | undefined, accepted: Accepted | undefined): Result {
  if (accepted?.deduplicated === true) return 'deduplicated';
  if (accepted !== undefined) return accepted.replayed ? 'replayed' : 'accepted';
  return error?.status === 503 ? 'not_stored' : 'refused';
}

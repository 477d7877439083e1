import { Counter, type Registry } from 'prom-client';
import type { PosthornError } from '#domain/errors.ts';
import { classifyError } from '#infra/http/server/classify-error.ts';
import type { Accepted } from './accepted.ts';
import type { RefusalLog, RefusedRequest } from '../http/refusal-log.ts';

const RESULTS = ['accepted', 'replayed', 'deduplicated', 'refused', 'not_stored'] as const;
type Result = (typeof RESULTS)[number];

/** Counts events by result, and logs rejected ones. */
export class EventResults {
  private readonly results: Counter<'result'>;
  private readonly refusals: RefusalLog;

  constructor(deps: { registry: Registry; refusals: RefusalLog }) {
    this.refusals = deps.refusals;
    this.results = new Counter({
      name: 'posthorn_ingress_events_total',
      help: 'Events by what became of them at ingress.',
      labelNames: ['result'],
      registers: [deps.registry],
    });
    // Start at 0: a series that begins at its first failure would hide that failure from `rate`.
    for (const result of RESULTS) this.results.inc({ result }, 0);
  }

  count(
    error: PosthornError | undefined,
    accepted: Accepted | undefined,
    request: RefusedRequest,
  ): void {
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

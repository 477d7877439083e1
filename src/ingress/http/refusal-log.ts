/**
 * Logs rejected events by correlation id, which a producer can quote in a support request. Only
 * some are logged each minute, so that a flood does not fill the disk; the next line counts the
 * rest.
 */
import type { FastifyRequest } from 'fastify';
import type { PosthornError } from '#domain/errors.ts';
import type { Log } from '#infra/telemetry/log.ts';

const PERIOD_MS = 60_000;
const LINES_MAX = 20;
/** A pointer is as long as the field names that the client sent. */
const POINTER_LENGTH_MAX = 200;

/** Origin of the rejected request. */
export interface RefusedRequest {
  requestId: string;
  /** Absent: an event to every tenant. */
  tenant?: string | undefined;
}

export function refusedRequest({ id, params }: FastifyRequest): RefusedRequest {
  return { requestId: id, tenant: (params as { tenant?: string } | undefined)?.tenant };
}

export class RefusalLog {
  private readonly deps: { log: Log; now: () => number };
  private endsMs = 0;
  private named = 0;
  private unnamed = 0;

  /** @param deps.now monotonic milliseconds */
  constructor(deps: { log: Log; now: () => number }) {
    this.deps = deps;
  }

  add(error: PosthornError, { requestId, tenant }: RefusedRequest): void {
    const nowMs = this.deps.now();
    if (nowMs >= this.endsMs) {
      this.endsMs = nowMs + PERIOD_MS;
      this.named = 0;
    }
    if (this.named === LINES_MAX) {
      this.unnamed++;
      return;
    }
    this.named++;
    const pointer = error.fields[0]?.pointer.slice(0, POINTER_LENGTH_MAX);
    const { code } = error;
    const line = { request_id: requestId, tenant_id: tenant, code, pointer, unnamed: this.unnamed };
    this.deps.log.info(line, 'ingress.event_refused');
    this.unnamed = 0;
  }
}

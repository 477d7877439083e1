import { tenantSource } from '#domain/event/event-id.ts';
import { PosthornError } from '#domain/errors.ts';
import { notFound } from '#domain/field-faults.ts';
import { newId } from '#domain/ids.ts';
import type { EndpointDocument, StoredVerification } from '#infra/mongo/configuration.ts';
import type { VerificationResult } from '#wire/api/endpoint/endpoint-verification.ts';
import { encodeEventFrame } from '#wire/frames/event-frame.ts';
import type { AttemptRecord } from '#wire/frames/record.ts';
import { checkPreconditions } from '#wire/revision.ts';
import type { ConfigurationDeps } from '../config-sync/change-tenant.ts';
import { changeEndpoint, type EndpointToChange } from '../endpoint-status/change-endpoint.ts';
import { activeFields } from '../endpoint-status/pauses.ts';
import { recordToResource } from '../history/attempt-reads.ts';
import type { CurrentLives } from '../lives/current-lives.ts';
import { allowedRate, faultOf } from './verification-rules.ts';
import type { WorkerRequests } from './worker-requests.ts';

export interface VerificationsDeps extends ConfigurationDeps {
  lives: Pick<CurrentLives, 'of'>;
  workers: Pick<WorkerRequests, 'send'>;
}

/**
 * Verifies that the receiver of an endpoint agrees to get webhooks (CT-2), and activates the
 * endpoint then. A crash between the answer of the receiver and the change leaves the endpoint
 * unverified: the verification can be repeated.
 */
export class Verifications {
  private readonly deps: VerificationsDeps;

  constructor(deps: VerificationsDeps) {
    this.deps = deps;
  }

  /**
   * @param correlationId of the request
   * @throws PosthornError POSTHORN_TENANT_UNKNOWN, POSTHORN_RESOURCE_UNKNOWN,
   *   POSTHORN_PRECONDITION_FAILED, POSTHORN_ENDPOINT_STATUS, POSTHORN_WORKERS_UNAVAILABLE,
   *   POSTHORN_OVERLOADED
   */
  async verify(endpoint: EndpointToChange, correlationId: string): Promise<VerificationResult> {
    const { tenant, id, preconditions = {} } = endpoint;
    const lifeId = await this.deps.lives.of(tenant);
    const known = await this.deps.configuration.endpoints.findOne({ _id: id, tenant });
    if (known === null) throw notFound('endpoint', id);
    checkPreconditions(preconditions, known.revision);
    const { verification } = known;
    if (!verification) {
      const detail = 'the endpoint was created without a verification';
      throw new PosthornError('POSTHORN_ENDPOINT_STATUS', { detail });
    }
    const attempt = await this.ask(lifeId, known, verification, correlationId);
    const detail = faultOf(verification, attempt);
    if (detail === undefined) await this.store(tenant, known, attempt);
    return {
      status: detail === undefined ? 'verified' : 'failed',
      detail: detail ?? null,
      attempt: recordToResource(attempt),
    };
  }

  private ask(
    lifeId: string,
    endpoint: EndpointDocument,
    { method, origin }: StoredVerification,
    correlationId: string,
  ): Promise<AttemptRecord> {
    const frame = pingFrame(endpoint, this.deps.clock.wallMs(), correlationId);
    const what = method === 'ping' ? 'test' : 'handshake';
    const head = { tenant: lifeId, endpoint: endpoint._id, what } as const;
    return this.deps.workers.send(origin === undefined ? head : { ...head, origin }, frame);
  }

  private store(tenant: string, queried: EndpointDocument, attempt: AttemptRecord): Promise<void> {
    const agree = (
      known: EndpointDocument,
      { now }: { now: Date },
    ): Partial<EndpointDocument> | undefined => {
      // A new URL has another receiver.
      if (known.url !== queried.url || !known.verification) {
        const detail = 'the endpoint was changed while it was verified; verify it again';
        throw new PosthornError('POSTHORN_ENDPOINT_STATUS', { detail });
      }
      return {
        verification: { ...known.verification, verified_at: now },
        ...(known.state_reason === 'unverified' ? activeFields(now) : {}),
        ...allowedRate(known, attempt),
      };
    };
    return changeEndpoint(this.deps, { tenant, id: queried._id }, agree, () => undefined);
  }
}

function pingFrame(endpoint: EndpointDocument, nowMs: number, correlationId: string): Buffer {
  const head = {
    id: newId('evt', nowMs),
    type: 'posthorn.ping',
    source: tenantSource(endpoint.tenant),
    time: new Date(nowMs).toISOString(),
    kind: 'json',
    acceptedMs: nowMs,
    correlationId,
  } as const;
  return encodeEventFrame(head, JSON.stringify({ endpoint_id: endpoint._id }));
}

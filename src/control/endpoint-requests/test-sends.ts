import type { Clock } from '#domain/clock.ts';
import { notFound } from '#domain/field-faults.ts';
import { tenantSource } from '#domain/event/event-id.ts';
import { isVisibleType, type VisibleTypes } from '#domain/event/visible-types.ts';
import { newId } from '#domain/ids.ts';
import type { JsonMember } from '#infra/http/server/body/parse-json-bodies.ts';
import type { Configuration } from '#infra/mongo/configuration.ts';
import { type EndpointTestResult, TEST_EVENT_TYPE } from '#wire/api/endpoint/endpoint-test.ts';
import { encodeEventFrame, type EventHead } from '#wire/frames/event-frame.ts';
import { checkPreconditions, type Preconditions } from '#wire/revision.ts';
import { refuseUnless } from '../endpoint-status/pauses.ts';
import { samplesOf } from '../event-types/event-type-resource.ts';
import { recordToResource } from '../history/attempt-reads.ts';
import type { CurrentLives } from '../lives/current-lives.ts';
import type { WorkerRequests } from './worker-requests.ts';

/** The event of a test, with `data` as it was sent. */
export interface TestRequest {
  event_type?: string | undefined;
  data?: JsonMember | undefined;
  /** Event types that the caller sees. */
  visible?: VisibleTypes;
}

export interface TestSendsDeps {
  configuration: Pick<Configuration, 'endpoints' | 'eventTypes'>;
  lives: Pick<CurrentLives, 'of'>;
  workers: Pick<WorkerRequests, 'send'>;
  clock: Clock;
}

/**
 * Sends test webhooks (CT-2). A test is no event and no delivery: it is not stored or repeated, and
 * does not count for the health or the limits of the endpoint. Paused and disabled endpoints can be
 * tested too.
 */
export class TestSends {
  private readonly deps: TestSendsDeps;

  constructor(deps: TestSendsDeps) {
    this.deps = deps;
  }

  /**
   * @param correlationId of the request
   * @throws PosthornError POSTHORN_TENANT_UNKNOWN, POSTHORN_RESOURCE_UNKNOWN,
   *   POSTHORN_PRECONDITION_FAILED, POSTHORN_ENDPOINT_STATUS, POSTHORN_WORKERS_UNAVAILABLE,
   *   POSTHORN_OVERLOADED
   */
  async send(
    [tenant, endpoint]: [tenantId: string, endpointId: string],
    request: TestRequest,
    preconditions: Preconditions,
    correlationId: string,
  ): Promise<EndpointTestResult> {
    const { configuration, lives, workers } = this.deps;
    const { visible } = request;
    const lifeId = await lives.of(tenant);
    const known = await configuration.endpoints.findOne({ _id: endpoint, tenant });
    if (known === null) throw notFound('endpoint', endpoint);
    checkPreconditions(preconditions, known.revision);
    refuseUnless(known.poll === undefined, 'is polled and gets no webhooks');
    const head = this.headOf(tenant, request, correlationId);
    const data = request.data?.toJSON() ?? (await this.sampleOf(head.type, visible));
    const frame = encodeEventFrame(head, data);
    const attempt = await workers.send({ tenant: lifeId, endpoint, what: 'test' }, frame);
    return {
      event_id: head.id,
      event_type: head.type,
      status: attempt.failure === undefined ? 'delivered' : 'failed',
      attempt: recordToResource(attempt),
    };
  }

  /** JSON text of the first sample of a registered type that the caller sees, else a text. */
  private async sampleOf(type: string, visible: VisibleTypes): Promise<string> {
    if (!isVisibleType(visible, type)) return SAMPLE;
    const known = await this.deps.configuration.eventTypes.findOne({ _id: type });
    const [sample] = known === null ? [] : samplesOf(known);
    return sample === undefined ? SAMPLE : JSON.stringify(sample);
  }

  private headOf(tenant: string, request: TestRequest, correlationId: string): EventHead {
    const nowMs = this.deps.clock.wallMs();
    return {
      id: newId('evt', nowMs),
      type: request.event_type ?? TEST_EVENT_TYPE,
      source: tenantSource(tenant),
      time: new Date(nowMs).toISOString(),
      kind: 'json',
      acceptedMs: nowMs,
      correlationId,
    };
  }
}

const SAMPLE = JSON.stringify({ message: 'This is a test webhook of Posthorn.' });

import {
  type NatsConnection,
  NoRespondersError,
  RequestError,
  TimeoutError,
} from '@nats-io/nats-core';
import { PosthornError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import {
  type EndpointRequestAnswer,
  type EndpointRequestFault,
  type EndpointRequestHead,
  encodeEndpointRequest,
} from '#wire/endpoint-request.ts';
import type { AttemptRecord } from '#wire/frames/record.ts';
import { subjects } from '#wire/subjects.ts';

/** For the worker's look at the configuration, before the request has its own limit. */
const WORKER_MS = 5000;

/** Asks a delivery worker to send one event to an endpoint now (CT-2). */
export class WorkerRequests {
  private readonly nc: Pick<NatsConnection, 'request'>;

  constructor(nc: Pick<NatsConnection, 'request'>) {
    this.nc = nc;
  }

  /**
   * @param frame an encoded event
   * @throws PosthornError POSTHORN_WORKERS_UNAVAILABLE, POSTHORN_OVERLOADED
   */
  async send(head: EndpointRequestHead, frame: Buffer): Promise<AttemptRecord> {
    const answer = await this.ask(encodeEndpointRequest(head, frame));
    if ('attempt' in answer) return answer.attempt;
    throw new PosthornError(CODES[answer.fault], { detail: answer.detail });
  }

  private async ask(request: Buffer): Promise<EndpointRequestAnswer> {
    const timeout = limits.endpointRequestMsMax + WORKER_MS;
    try {
      const answer = await this.nc.request(subjects.endpointRequests, request, { timeout });
      return answer.json<EndpointRequestAnswer>();
    } catch (error) {
      throw unavailable(error);
    }
  }
}

const CODES = {
  // The endpoint is stored, and the worker has not read it yet.
  unknown: 'POSTHORN_WORKERS_UNAVAILABLE',
  busy: 'POSTHORN_OVERLOADED',
  unsent: 'POSTHORN_WORKERS_UNAVAILABLE',
} as const satisfies Record<EndpointRequestFault, string>;

function unavailable(error: unknown): unknown {
  const isUnheard =
    error instanceof NoRespondersError || (error instanceof RequestError && error.isNoResponders());
  if (isUnheard) {
    const detail = 'no delivery worker is running; nothing was sent';
    return new PosthornError('POSTHORN_WORKERS_UNAVAILABLE', { detail, cause: error });
  }
  if (!(error instanceof TimeoutError)) return error;
  const detail = 'no delivery worker answered in time; the request may have been sent';
  return new PosthornError('POSTHORN_WORKERS_UNAVAILABLE', { detail, cause: error });
}

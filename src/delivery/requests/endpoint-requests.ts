/**
 * Answers requests of control to send one event to an endpoint now (CT-2): test webhooks, pings and
 * handshakes. They use the egress rules, credentials and signatures of deliveries, and nothing else
 * of them: no queue, rate limit, circuit, history or health. Nothing is stored, so a request that a
 * crash ends is answered by the time limit of control, and may have reached the receiver.
 *
 * Bounds: `limits.endpointRequestsMax` requests of one worker at a time, of which a tenant has its
 * share; `limits.endpointRequestMsMax` for each.
 */
import type { Msg, NatsConnection, Subscription } from '@nats-io/nats-core';
import type { Clock } from '#domain/clock.ts';
import { limits } from '#domain/limits.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { ConfigView, EndpointSnapshot } from '#wire/config-snapshot.ts';
import {
  type EndpointRequest,
  type EndpointRequestAnswer,
  decodeEndpointRequest,
} from '#wire/endpoint-request.ts';
import { subjects } from '#wire/subjects.ts';
import { attemptRecord } from '../attempt/attempt.ts';
import { EndpointSender, type EndpointSenderDeps } from '../attempt/endpoint-sender.ts';

/** Workers share the requests: each is answered by one of them. */
const QUEUE = 'delivery';

export interface EndpointRequestsDeps extends EndpointSenderDeps {
  nc: NatsConnection;
  config: Pick<ConfigView, 'tenant'>;
  /** Fetches a tenant's configuration unless it was fetched after `sinceMs` (monotonic). */
  refreshTenant: (tenant: string, sinceMs: number) => Promise<void>;
  /** The platform's time limit for an attempt. */
  timeoutMs: number;
  worker: string;
  clock: Clock;
  log: Log;
}

export class EndpointRequests {
  private readonly deps: EndpointRequestsDeps;
  private readonly running = new Map<string, number>();
  private total = 0;
  private subscription: Subscription | undefined;

  constructor(deps: EndpointRequestsDeps) {
    this.deps = deps;
  }

  start(): void {
    this.subscription = this.deps.nc.subscribe(subjects.endpointRequests, {
      queue: QUEUE,
      callback: (error, message) => {
        if (error === null) void this.answer(message);
      },
    });
  }

  /** Accepts no further request. Those in flight end with their time limit. */
  stop(): void {
    this.subscription?.unsubscribe();
  }

  private async answer(message: Msg): Promise<void> {
    let answer: EndpointRequestAnswer;
    try {
      answer = await this.admit(decodeEndpointRequest(message.data));
    } catch (error) {
      this.deps.log.error({ err: error }, 'delivery.endpoint_request_failed');
      answer = { fault: 'unsent', detail: 'the worker could not process the request' };
    }
    message.respond(JSON.stringify(answer));
  }

  private async admit(request: EndpointRequest): Promise<EndpointRequestAnswer> {
    const { tenant } = request;
    const ofTenant = this.running.get(tenant) ?? 0;
    if (
      this.total >= limits.endpointRequestsMax ||
      ofTenant >= limits.endpointRequestsPerTenantMax
    ) {
      return { fault: 'busy', detail: 'too many requests to endpoints are in flight' };
    }
    this.total++;
    this.running.set(tenant, ofTenant + 1);
    try {
      return await this.send(request);
    } finally {
      this.total--;
      const left = (this.running.get(tenant) ?? 1) - 1;
      if (left === 0) this.running.delete(tenant);
      else this.running.set(tenant, left);
    }
  }

  private async send(request: EndpointRequest): Promise<EndpointRequestAnswer> {
    const { clock, worker } = this.deps;
    const snapshot = await this.find(request);
    if (snapshot === undefined) {
      return { fault: 'unknown', detail: `endpoint ${request.endpoint} not found` };
    }
    const sender = new EndpointSender(this.deps, request.tenant);
    try {
      const target = sender.prepare(snapshot);
      const limitMs = Math.min(
        snapshot.timeoutMs ?? this.deps.timeoutMs,
        limits.endpointRequestMsMax,
      );
      const startedMs = clock.wallMs();
      const started = clock.monotonicMs();
      const signal = AbortSignal.timeout(limitMs);
      const result =
        request.what === 'test'
          ? await sender.send(withMark(target), request.event, startedMs, signal)
          : await sender.handshake(target, request.origin ?? '', signal);
      if (result.localFault !== undefined) {
        return { fault: 'unsent', detail: 'the worker cannot reach any receiver now' };
      }
      const durationMs = clock.monotonicMs() - started;
      return { attempt: attemptRecord(1, worker, startedMs, durationMs, result) };
    } finally {
      sender.release();
    }
  }

  /** The change that a caller made just before its test is in force for the test. */
  private async find({ tenant, endpoint }: EndpointRequest): Promise<EndpointSnapshot | undefined> {
    const { config, refreshTenant, clock } = this.deps;
    await refreshTenant(tenant, clock.monotonicMs());
    // In its present life only.
    return config.tenant(tenant)?.endpoints.find(({ id }) => id === endpoint);
  }
}

/** Lets a receiver tell a test from an event. */
function withMark<T extends { fixedHeaders: string[] }>(target: T): T {
  return { ...target, fixedHeaders: [...target.fixedHeaders, 'posthorn-test', 'true'] };
}

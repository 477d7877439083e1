/**
 * Handles producers over NATS (IN-4): requests to `in.<tenant>.<type>`, answered like HTTP once the
 * event is stored. All ingress processes share one queue group, so each request goes to one of
 * them.
 *
 * States of a request: received -> (waits in the concurrency limiter) -> (tenant looked up) ->
 * accepted or rejected -> answered. This is core NATS: if a process is killed, the producer gets no
 * answer, and repeats the request with the same id.
 *
 * Limits: `limits.natsRequestsMax` concurrent requests, `limits.natsRequestsPerTenantMax` of one
 * tenant, never the last slots (`FairShares`). Further requests are rejected with
 * POSTHORN_OVERLOADED.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { Msg, NatsConnection, Subscription } from '@nats-io/nats-core';
import { headers } from '@nats-io/nats-core';
import type { Span } from '@opentelemetry/api';
import type { Clock } from '#domain/clock.ts';
import { PosthornError } from '#domain/errors.ts';
import { tenantNotFound } from '#domain/field-faults.ts';
import { newId } from '#domain/ids.ts';
import { FairShares } from '#domain/contention/fair-shares.ts';
import type { JsonNode } from '#domain/json/json-outline.ts';
import { jsonRefusal } from '#domain/json/json-refusal.ts';
import { limits } from '#domain/limits.ts';
import { isTenantId } from '#domain/tenant.ts';
import { BodyDecoder } from '#infra/http/server/body/body-decoder.ts';
import { checkBodyHeaders } from '#infra/http/server/body/body-headers.ts';
import { ACCEPT_ENCODING, parseContentCodings } from '#infra/http/server/body/content-coding.ts';
import { classifyError } from '#infra/http/server/classify-error.ts';
import type { JsonTurns } from '#infra/json-turns.ts';
import { appliedLimits, rateLimited } from '#infra/rate-limits/applied-limits.ts';
import type { RateDecision, RateLimits } from '#infra/rate-limits/rate-limits.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { type Tracing, traceparentOf } from '#infra/telemetry/tracing.ts';
import type { Service } from '#infra/service.ts';
import type { TenantSnapshot } from '#wire/config-snapshot.ts';
import { asBuffer } from '#wire/frames/event-frame.ts';
import { PROBLEM_MEDIA_TYPE, problemOf } from '#wire/problem.ts';
import { parseRequestSubject, subjects } from '#wire/subjects.ts';
import { normalizeTraceparent } from '#wire/frames/trace-context.ts';
import type { AcceptEvent } from '../accept/accept-event.ts';
import { type AcceptDone, type Accepted, acceptedJson } from '../accept/accepted.ts';
import type { EventResults } from '../accept/event-results.ts';
import type { TenantConcurrencyLimiter } from '../fairness/tenant-concurrency-limiter.ts';
import { headerFault } from './header-block.ts';
import { namedHeaders, readNatsEvent, wantedOfNatsEvent } from './nats-request.ts';
import type { Rejections } from './rejections.ts';
import { checkSenderKey, senderKeyOf, unboundKeyOf, type KeysById } from './sender-key.ts';
import { endNatsRequestSpan, startNatsRequestSpan } from './trace-nats-request.ts';

const QUEUE_GROUP = 'ingress';
const DRAIN_POLL_MS = 10;
/** A body may exceed an event by this: field names and white space are not stored. */
const BODY_SLACK_BYTES = 64 * 1024;
/**
 * Answers go to inboxes only. This process may publish everywhere and the producer may not: a reply
 * subject of its choice would let it write into a stream through us.
 */
const INBOX = /^_INBOX[._]/;

export interface NatsServiceDeps {
  nc: NatsConnection;
  accept: Pick<AcceptEvent, 'accept'>;
  results: Pick<EventResults, 'refused'>;
  limiter: TenantConcurrencyLimiter;
  rejections: Pick<Rejections, 'add'>;
  tenant: (id: string) => TenantSnapshot | undefined;
  lookUpTenant: (id: string) => Promise<TenantSnapshot | undefined>;
  rates: Pick<RateLimits, 'admit'>;
  /** Absent: producers do not log in with API keys. */
  keys: KeysById | undefined;
  /** Reads large bodies. */
  turns: JsonTurns;
  eventBytesMax: number;
  clock: Clock;
  tracing?: Tracing | undefined;
  log: Log;
}

interface Request {
  message: Msg;
  /** Correlation id. */
  id: string;
  tenant: string;
  type: string;
  span: Span | undefined;
  /** Reports the end of the request to the concurrency limiter, if the limiter counts it. */
  left: (() => void) | undefined;
  /** It holds one of its tenant's slots. */
  isCounted: boolean;
  /** Absent: it has no rate limit, or was not counted. */
  rates?: RateDecision;
}

export class NatsService implements Service {
  readonly name = 'nats-ingress';
  private readonly deps: NatsServiceDeps;
  private readonly decoder = new BodyDecoder();
  private subscription: Subscription | undefined;
  private underWay = 0;
  private readonly shares = new FairShares(limits.natsRequestsMax);

  constructor(deps: NatsServiceDeps) {
    this.deps = deps;
  }

  async start(): Promise<void> {
    this.subscription = this.deps.nc.subscribe(subjects.requests, {
      queue: QUEUE_GROUP,
      callback: (error, message) => {
        if (error === null) this.take(message);
      },
    });
    // Ensures that the server has the subscription.
    await this.deps.nc.flush();
  }

  /** Stops receiving requests; those already received are answered. */
  async stop(deadlineMs: number): Promise<void> {
    const { subscription } = this;
    if (subscription === undefined) return;
    this.subscription = undefined;
    const deadline = this.deps.clock.monotonicMs() + deadlineMs;
    // Bounded: a server that is down never acknowledges the drain.
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, deadlineMs);
    });
    await Promise.race([subscription.drain().catch(() => undefined), tooLate]);
    clearTimeout(timer);
    while (this.underWay > 0 && this.deps.clock.monotonicMs() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS));
    }
  }

  private take(message: Msg): void {
    const id = newId('req', this.deps.clock.wallMs());
    const fault = headerFault(message);
    const span =
      fault === undefined ? startNatsRequestSpan(this.deps.tracing, message, id) : undefined;
    const subject = parseRequestSubject(message.subject);
    const request: Request = { message, id, span, left: undefined, isCounted: false, ...subject };
    if (!this.begin(request)) this.refuse(request, new PosthornError('POSTHORN_OVERLOADED'));
    else if (fault !== undefined) this.refuse(request, fault);
    else {
      this.deps.limiter.enter(request.tenant, {
        start: () => this.lookUp(request),
        onLeave: (left) => (request.left = left),
      });
    }
  }

  /** Counts a request; false if there are too many. */
  private begin(request: Request): boolean {
    const { tenant } = request;
    this.underWay++;
    if (this.shares.heldBy(tenant) >= limits.natsRequestsPerTenantMax) return false;
    request.isCounted = this.shares.tryTake(tenant);
    return request.isCounted;
  }

  private leave({ tenant, left, isCounted }: Request): void {
    this.underWay--;
    if (isCounted) this.shares.give(tenant);
    // Deferred: the limiter admits the next immediately, and a thousand rejections would nest.
    if (left !== undefined) setImmediate(left);
  }

  private lookUp(request: Request): void {
    const known = this.deps.tenant(request.tenant);
    if (known !== undefined || !isTenantId(request.tenant)) this.acceptFor(known, request);
    else {
      this.deps.lookUpTenant(request.tenant).then(
        (tenant) => this.acceptFor(tenant, request),
        (error: unknown) => {
          this.refuse(request, new PosthornError('POSTHORN_NATS_UNAVAILABLE', { cause: error }));
        },
      );
    }
  }

  private acceptFor(tenant: TenantSnapshot | undefined, request: Request): void {
    try {
      if (tenant === undefined) throw tenantNotFound(request.tenant);
      const { keys } = this.deps;
      if (keys !== undefined) checkSenderKey(request.message.reply, tenant, keys);
      this.limit(tenant, request);
      const body = asBuffer(request.message.data);
      const bytesMax = this.deps.eventBytesMax + BODY_SLACK_BYTES;
      if (body.length > bytesMax) {
        throw tooLarge(`the body has ${body.length} bytes; at most ${bytesMax} are accepted`);
      }
      const headers = namedHeaders(request.message.headers);
      checkBodyHeaders(headers);
      const codings = parseContentCodings(headers['content-encoding']);
      if (codings.length === 0) this.readInTurn(tenant, request, headers, body);
      else {
        const detail = `the decoded body has more than ${bytesMax} bytes, or is too compressed`;
        const decoding = this.decoder.decode(tenant.id, body, codings, bytesMax, () =>
          tooLarge(detail),
        );
        decoding.then(
          (decoded) => this.readInTurn(tenant, request, headers, decoded),
          (error: unknown) => this.refuse(request, error),
        );
      }
    } catch (error) {
      this.refuse(request, error);
    }
  }

  /**
   * Counts the event against the rate limits of its tenant, and of the key that its inbox names.
   *
   * @throws PosthornError POSTHORN_RATE_LIMITED
   */
  private limit(tenant: TenantSnapshot, request: Request): void {
    const { keys, rates } = this.deps;
    const key = keys && senderKeyOf(request.message.reply, keys);
    const applied = appliedLimits('events', key?.id, key?.rateLimit, tenant);
    if (applied === undefined) return;
    const decision = rates.admit(applied, 1);
    request.rates = decision;
    if (decision.admitted === 0) throw rateLimited(decision);
  }

  /**
   * Reads a large body in slices that alternate with bodies of other tenants, a small one
   * immediately.
   */
  private readInTurn(
    tenant: TenantSnapshot,
    request: Request,
    headers: IncomingHttpHeaders,
    body: Buffer,
  ): void {
    const { turns } = this.deps;
    const wanted = turns.isLarge(body) ? wantedOfNatsEvent(headers) : undefined;
    if (wanted === undefined) {
      this.read(tenant, request, headers, body);
      return;
    }
    turns.read(tenant.id, body, wanted).then(
      (outline) => this.read(tenant, request, headers, body, outline),
      (fault: unknown) => this.refuse(request, jsonRefusal(fault, 'POSTHORN_EVENT_INVALID')),
    );
  }

  /**
   * Reads the event of a request and passes it to `accept`; answers with the error if one is
   * thrown.
   */
  private read(
    tenant: TenantSnapshot,
    request: Request,
    headers: IncomingHttpHeaders,
    body: Buffer,
    outline?: JsonNode,
  ): void {
    try {
      const input = readNatsEvent(headers, body, request.type, outline);
      const done: AcceptDone = (error, accepted) => {
        if (accepted === undefined) this.end(request, error as PosthornError);
        else this.answer(request, accepted);
      };
      const traceparent =
        request.span === undefined
          ? normalizeTraceparent(request.message.headers?.get('traceparent'))
          : traceparentOf(request.span);
      const { keys } = this.deps;
      const producerKey = keys && unboundKeyOf(request.message.reply, keys);
      const sender = { traceparent, producerKey };
      this.deps.accept.accept(tenant, input, request.id, false, done, sender);
    } catch (error) {
      this.refuse(request, error);
    }
  }

  /** Counted here, as `accept` counts only the events that reach it. */
  private refuse(request: Request, thrown: unknown): void {
    const error = classifyError(thrown);
    if (error.code === 'POSTHORN_UNEXPECTED') {
      this.deps.log.error({ err: thrown, request_id: request.id }, 'ingress.unexpected_error');
    }
    this.deps.results.refused(error, { requestId: request.id, tenant: request.tenant });
    this.end(request, error);
  }

  private answer(request: Request, accepted: Accepted): void {
    this.leave(request);
    if (request.span !== undefined) endNatsRequestSpan(request.span, undefined);
    this.reply(request, acceptedJson(accepted), answerHeaders(accepted, request.rates));
  }

  private end(request: Request, error: PosthornError): void {
    this.leave(request);
    const { message, id, tenant, type, span } = request;
    if (span !== undefined) endNatsRequestSpan(span, error);
    const { subject } = message;
    if (!hasInbox(message)) {
      const body = asBuffer(message.data);
      this.deps.rejections.add({ id, subject, tenant, type, body, error });
      return;
    }
    const extra: Record<string, string> = {
      'Content-Type': PROBLEM_MEDIA_TYPE,
      ...(request.rates && rateHeaders(request.rates)),
    };
    if (error.retryAfterSeconds !== undefined) {
      extra['Retry-After'] = String(error.retryAfterSeconds);
    }
    if (error.code === 'POSTHORN_CONTENT_CODING_UNSUPPORTED') {
      extra['Accept-Encoding'] = ACCEPT_ENCODING;
    }
    this.reply(request, JSON.stringify(problemOf(error, subject, id)), extra);
  }

  private reply(
    { message, id }: Request,
    json: string,
    extra: Record<string, string> | undefined,
  ): void {
    if (!hasInbox(message)) return;
    try {
      if (extra === undefined) message.respond(json);
      else {
        const hdrs = headers();
        for (const [name, value] of Object.entries(extra)) hdrs.set(name, value);
        message.respond(json, { headers: hdrs });
      }
    } catch (error) {
      // The connection is closed: the producer repeats the request, and its id removes duplicates.
      this.deps.log.warn({ error: (error as Error).message, request_id: id }, 'ingress.no_answer');
    }
  }
}

function answerHeaders(
  { replayed }: Accepted,
  rates: RateDecision | undefined,
): Record<string, string> | undefined {
  if (!replayed) return rates && rateHeaders(rates);
  return { 'Idempotency-Replayed': 'true', ...(rates && rateHeaders(rates)) };
}

function rateHeaders({ policyHeader, limitHeader }: RateDecision): Record<string, string> {
  return { 'RateLimit-Policy': policyHeader, RateLimit: limitHeader };
}

function tooLarge(detail: string): PosthornError {
  return new PosthornError('POSTHORN_EVENT_TOO_LARGE', { detail });
}

function hasInbox(message: Msg): boolean {
  return message.reply !== undefined && INBOX.test(message.reply);
}

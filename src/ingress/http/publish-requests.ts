import { setImmediate } from 'node:timers/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '#domain/clock.ts';
import { PosthornError } from '#domain/errors.ts';
import { tenantNotFound } from '#domain/field-faults.ts';
import type { JsonNode, Wanted } from '#domain/json/json-outline.ts';
import { jsonRefusal } from '#domain/json/json-refusal.ts';
import { limits } from '#domain/limits.ts';
import { essenceOf } from '#domain/event/media-type.ts';
import { isTenantId } from '#domain/tenant.ts';
import type { Principal } from '#domain/authorization.ts';
import { sendError } from '#infra/http/server/problem.ts';
import type { JsonTurns } from '#infra/json-turns.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { TenantSnapshot } from '#wire/config-snapshot.ts';
import { problemOf } from '#wire/problem.ts';
import { checkSelected } from '#wire/revision.ts';
import type { AcceptBroadcast } from '../accept/accept-broadcast.ts';
import type { AcceptEvent } from '../accept/accept-event.ts';
import { type AcceptDone, acceptedJson } from '../accept/accepted.ts';
import type { EventInput } from '#wire/published/event-input.ts';
import type { EventResults } from '../accept/event-results.ts';
import { readIdempotencyKey } from '#infra/http/idempotency-key.ts';
import { asKeyFault, underIdempotencyKey } from '../idempotency/idempotency-key.ts';
import { type BatchItem, readBatchBody, readCloudEventBatch } from '../read/read-body.ts';
import { readOne, unsupported, wantedOfOne } from '../read/read-request.ts';
import { refusedRequest } from './refusal-log.ts';
import { wantedOfBatch, wantedOfCloudEventBatch } from '#wire/published/scan-body.ts';
import type { RequestRates } from './request-rates.ts';
import type { RequestTrace } from './trace-requests.ts';

export interface PublishRequestsDeps {
  accept: AcceptEvent;
  results: Pick<EventResults, 'refused'>;
  acceptBroadcast: AcceptBroadcast;
  /** Returns the tenant if it is in memory; undefined if it is not. */
  tenant: (id: string) => TenantSnapshot | undefined;
  lookUpTenant: (id: string) => Promise<TenantSnapshot | undefined>;
  rates: Pick<RequestRates, 'countItems'>;
  /** Reads large bodies. */
  turns: JsonTurns;
  eventBytesMax: number;
  clock: Clock;
  log: Log;
}

export type TenantParams = { Params: { tenant: string } };

/** Recipient of the event, for messages. */
const EVERY_TENANT = 'every tenant';
/** The resource that events are posted to has no ETag. */
const LIST_OF_EVENTS = { exists: true } as const;
export type Target = TenantSnapshot | typeof EVERY_TENANT;

/** Validating an item may take tens of ms: after this time the event loop runs other work. */
const AT_ONCE_MS = 5;

/** A body may exceed an event by this: field names and white space are not stored. */
export const BODY_SLACK_BYTES = 64 * 1024;

/** Handles producers' requests: reads, accepts, answers. */
export class PublishRequests {
  private readonly deps: PublishRequestsDeps;
  private readonly traceOf: RequestTrace;
  private readonly principals = new WeakMap<FastifyRequest, Principal>();

  constructor(deps: PublishRequestsDeps, traceOf: RequestTrace) {
    this.deps = deps;
    this.traceOf = traceOf;
  }

  /** One event, or a batch of CloudEvents. */
  publish(target: Target, request: FastifyRequest, reply: FastifyReply): void {
    const mediaType = essenceOf(request.headers['content-type'] ?? '');
    const body = bodyOf(request);
    if (mediaType === 'application/cloudevents-batch+json') {
      checkBodySize(body, limits.batchBytesMax);
      this.read(target, request, reply, wantedOfCloudEventBatch, (outline) => {
        this.acceptAll(target, readCloudEventBatch(body, outline), '', request, reply);
      });
      return;
    }
    checkBodySize(body, this.deps.eventBytesMax + BODY_SLACK_BYTES);
    const { headers } = request;
    this.read(target, request, reply, wantedOfOne(mediaType, headers), (outline) => {
      this.acceptOne(target, readOne(mediaType, request, body, outline), request, reply);
    });
  }

  /** As `publish`, for a call outside `withTenant`. */
  publishGuarded(target: Target, request: FastifyRequest, reply: FastifyReply): void {
    this.guard(() => this.publish(target, request, reply), request, reply);
  }

  private acceptOne(
    target: Target,
    read: EventInput,
    request: FastifyRequest,
    reply: FastifyReply,
  ): void {
    const input = underIdempotencyKey(read, readIdempotencyKey(request.headers));
    this.accept(target, input, request, false, (error, accepted) => {
      if (accepted === undefined) {
        const fault = input === read ? error : asKeyFault(error as PosthornError);
        sendError(this.deps.log, fault, request, reply);
        return;
      }
      if (accepted.replayed) reply.header('idempotency-replayed', 'true');
      reply
        .code(202)
        .header('content-type', 'application/json; charset=utf-8')
        .send(acceptedJson(accepted));
    });
  }

  /** A batch in our own form. */
  publishBatch(target: Target, request: FastifyRequest, reply: FastifyReply): void {
    const mediaType = essenceOf(request.headers['content-type'] ?? '');
    if (mediaType !== 'application/json') throw unsupported(mediaType, ['application/json']);
    this.read(target, request, reply, wantedOfBatch, (outline) => {
      this.acceptAll(target, readBatchBody(bodyOf(request), outline), '/events', request, reply);
    });
  }

  /** Answers with the error if one is thrown. */
  withEveryTenant(
    request: FastifyRequest,
    reply: FastifyReply,
    go: (target: Target) => void,
  ): void {
    this.guard(
      () => {
        checkSelected(request.headers, LIST_OF_EVENTS);
        go(EVERY_TENANT);
      },
      request,
      reply,
    );
  }

  /** Remembers the key of the request until the body has been read. */
  authenticated(request: FastifyRequest, principal: Principal): void {
    this.principals.set(request, principal);
  }

  /** The body may arrive late: its tenant may have been deleted and created again by then. */
  private checkKey(request: FastifyRequest, { life = 0 }: TenantSnapshot): void {
    const key = this.principals.get(request);
    if (key?.tenant === undefined || (key.life ?? 0) === life) return;
    throw new PosthornError('POSTHORN_KEY_INVALID');
  }

  /**
   * Finds the tenant, synchronously if it is in memory; answers with the error if one is thrown.
   */
  withTenant(
    request: FastifyRequest<TenantParams>,
    reply: FastifyReply,
    go: (target: Target) => void,
  ): void {
    this.withTenantId(request.params.tenant, request, reply, go);
  }

  /** As `withTenant`, for a tenant that the path does not name. */
  withTenantId(
    id: string,
    request: FastifyRequest,
    reply: FastifyReply,
    go: (target: Target) => void,
  ): void {
    const guarded = (tenant: TenantSnapshot | undefined): void =>
      this.guard(
        () => {
          if (tenant === undefined) throw tenantNotFound(id);
          this.checkKey(request, tenant);
          checkSelected(request.headers, LIST_OF_EVENTS);
          go(tenant);
        },
        request,
        reply,
      );
    const known = this.deps.tenant(id);
    if (known !== undefined || !isTenantId(id)) guarded(known);
    else {
      this.deps.lookUpTenant(id).then(guarded, (error: unknown) => {
        const unavailable = new PosthornError('POSTHORN_NATS_UNAVAILABLE', { cause: error });
        sendError(this.deps.log, unavailable, request, reply);
      });
    }
  }

  /**
   * Continues synchronously with a small body, and later with the outline of a large one, which is
   * read in slices.
   *
   * @param wanted absent: the body is not JSON
   */
  private read(
    target: Target,
    request: FastifyRequest,
    reply: FastifyReply,
    wanted: Wanted | undefined,
    proceed: (outline?: JsonNode) => void,
  ): void {
    const { turns } = this.deps;
    const body = bodyOf(request);
    if (wanted === undefined || !turns.isLarge(body)) {
      proceed();
      return;
    }
    const owner = target === EVERY_TENANT ? target : target.id;
    turns.read(owner, body, wanted).then(
      (outline) => this.guard(() => proceed(outline), request, reply),
      (fault: unknown) => this.refuse(jsonRefusal(fault, 'POSTHORN_EVENT_INVALID'), request, reply),
    );
  }

  private guard(go: () => void, request: FastifyRequest, reply: FastifyReply): void {
    try {
      go();
    } catch (error) {
      this.refuse(error, request, reply);
    }
  }

  /** Answers and counts a refused event. */
  refuse(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
    this.deps.results.refused(error, refusedRequest(request));
    sendError(this.deps.log, error, request, reply);
  }

  private accept(
    target: Target,
    input: EventInput,
    request: FastifyRequest,
    wait: boolean,
    done: AcceptDone,
  ): void {
    const key = this.principals.get(request);
    const producerKey = key?.tenant === undefined ? key?.keyId : undefined;
    const sender = { traceparent: this.traceOf(request), producerKey };
    if (target === EVERY_TENANT) {
      void this.deps.acceptBroadcast.accept(input, request.id, done, sender);
    } else this.deps.accept.accept(target, input, request.id, wait, done, sender);
  }

  /** @param at JSON pointer of the list of items */
  private acceptAll(
    target: Target,
    items: BatchItem[],
    at: string,
    request: FastifyRequest,
    reply: FastifyReply,
  ): void {
    const key = readIdempotencyKey(request.headers);
    const { admitted, refusal } = this.deps.rates.countItems(request, reply, items.length);
    const results: BatchResult[] = [];
    let open = items.length;
    let retryAfterSeconds = 0;
    const finish = (index: number, result: BatchResult): void => {
      results[index] = result;
      if (--open === 0) sendBatch(results, retryAfterSeconds, reply);
    };
    const refused = (error: PosthornError): BatchResult => {
      retryAfterSeconds = Math.max(retryAfterSeconds, error.retryAfterSeconds ?? 0);
      return { status: error.status, error: problemOf(error, request.url, request.id) };
    };
    const take = (item: BatchItem, index: number): void => {
      if (refusal !== undefined && index >= admitted) {
        this.deps.results.refused(refusal, refusedRequest(request));
        finish(index, refused(refusal));
        return;
      }
      if ('error' in item) {
        this.deps.results.refused(item.error, refusedRequest(request));
        finish(index, refused(item.error));
        return;
      }
      const input = underIdempotencyKey(item.input, key, index);
      const locate = input === item.input ? placed : asKeyFault;
      this.accept(target, input, request, true, (error, accepted) => {
        if (accepted === undefined) {
          finish(index, refused(locate(error as PosthornError, `${at}/${index}`)));
        } else finish(index, { status: 202, ...accepted });
      });
    };
    // CloudEvents JSON format, section 4: a batch may be empty.
    if (items.length === 0) sendBatch(results, 0, reply);
    takeInTurns(items, take, this.deps.clock).catch((error: unknown) => {
      sendError(this.deps.log, error, request, reply);
    });
  }
}

/** Runs the items in order, yielding to other work after `AT_ONCE_MS`. */
async function takeInTurns(
  items: BatchItem[],
  take: (item: BatchItem, index: number) => void,
  clock: Clock,
): Promise<void> {
  let pauseMs = clock.monotonicMs() + AT_ONCE_MS;
  for (const [index, item] of items.entries()) {
    if (clock.monotonicMs() >= pauseMs) {
      await setImmediate();
      pauseMs = clock.monotonicMs() + AT_ONCE_MS;
    }
    take(item, index);
  }
}

/** @throws PosthornError POSTHORN_EVENT_TOO_LARGE */
function checkBodySize(body: Buffer, most: number): void {
  if (body.length <= most) return;
  const detail = `the body has ${body.length} bytes; at most ${most} are allowed`;
  throw new PosthornError('POSTHORN_EVENT_TOO_LARGE', { detail });
}

/** Prefixes an event's error with its position in the batch. */
function placed(error: PosthornError, at: string): PosthornError {
  if (error.fields.length === 0) return error;
  const fields = error.fields.map(({ pointer, detail }) => ({ pointer: at + pointer, detail }));
  return new PosthornError(error.code, { detail: error.message, fields, cause: error });
}

type BatchResult =
  | { status: 202; id: string; replayed: boolean; deduplicated?: true }
  | { status: number; error: ReturnType<typeof problemOf> };

/**
 * 202 if all are stored, 207 if some are not, 503 if none could be stored. The answer says when to
 * repeat items that a rate limit refused.
 *
 * @param retryAfterSeconds the longest that a refusal names
 */
function sendBatch(results: BatchResult[], retryAfterSeconds: number, reply: FastifyReply): void {
  const accepted = results.filter((result) => result.status === 202).length;
  const allFailed = results.length > 0 && results.every((result) => result.status === 503);
  const refused = results.length - accepted;
  const isLimited = results.some((result) => result.status === 429);
  if (allFailed || isLimited) reply.header('retry-after', String(retryAfterSeconds));
  reply
    .code(allFailed ? 503 : refused > 0 ? 207 : 202)
    .header('content-type', 'application/json; charset=utf-8')
    .send(JSON.stringify({ accepted, refused, results }));
}

function bodyOf(request: FastifyRequest): Buffer {
  return Buffer.isBuffer(request.body) ? request.body : NOTHING;
}

const NOTHING = Buffer.alloc(0);

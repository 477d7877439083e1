import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { MongoServerSelectionError } from 'mongodb';
import { classifyError } from '#infra/http/server/classify-error.ts';
import { readIdempotencyKey } from '#infra/http/idempotency-key.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { principalOf } from '../routes/access.ts';
import type { CurrentLives } from '../lives/current-lives.ts';
import { claimOf, RequestClaim } from './change-claim.ts';
import type { IdempotentAnswers, KeptAnswer } from './idempotent-answers.ts';

/** The header fields that are stored with an answer. */
const KEPT_HEADERS = ['content-type', 'etag', 'location'] as const;

/**
 * Makes every POST of this scope with an `Idempotency-Key` run once: a repeat of the request with
 * the same API key gets the first answer, with `idempotency-replayed: true`. The key is claimed
 * after validation, so a malformed request does not use it up. The answer is stored before it is
 * sent: in the transaction of the change (`answerChange`), or after an action that has none
 * (`actionClaimOf`).
 */
export function answerOnce(
  scope: FastifyInstance,
  answers: IdempotentAnswers,
  lives: Pick<CurrentLives, 'find'>,
  log: Log,
): void {
  scope.decorateRequest('idempotencyClaim', null);
  scope.addHook('preHandler', async (request, reply) => {
    if (request.method !== 'POST') return;
    const key = readIdempotencyKey(request.headers);
    if (key === undefined) return;
    const tenant = tenantOf(request);
    const found = await answers.claim({
      caller: principalOf(request).keyId,
      method: request.method,
      tenant,
      life: tenant === undefined ? undefined : await lives.find(tenant),
      route: request.routeOptions.url ?? '',
      params: request.params as Record<string, string>,
      key,
      query: request.query,
      body: request.body,
    });
    if ('claim' in found) {
      request.setDecorator(
        'idempotencyClaim',
        new RequestClaim(answers, found.claim, targetOf(request)),
      );
      return;
    }
    await replay(reply, found.answer);
  });
  scope.addHook('onError', (request, _reply, error, done) => {
    // The change may have been made: keep the claim. A repeat after its deadline finds out.
    if (isOutcomeUnknown(error)) request.setDecorator('idempotencyClaim', null);
    done();
  });
  scope.addHook('onSend', async (request, reply, payload) => {
    const found = claimOf(request);
    if (found === null) return payload;
    request.setDecorator('idempotencyClaim', null);
    if (reply.statusCode >= 300) {
      const isPartlyDone = reply.statusCode >= 500 && found.isBegun;
      const end = isPartlyDone ? answers.abandon(found.claim) : answers.free(found.claim);
      await end.catch(notFreed(log, request));
    } else if (!found.isAnswerKept) await answers.keep(found.claim, keptOf(reply, payload));
    return payload;
  });
}

/** The id of the resource that the path names below its tenant. */
function targetOf({ params }: FastifyRequest): string | undefined {
  const named = Object.entries(params as Record<string, string>);
  return named.findLast(([name]) => name !== 'tenant')?.[1];
}

/**
 * A request for an API key of a tenant names the tenant in its body: its answer is deleted with the
 * tenant too.
 */
function tenantOf({ params, body }: FastifyRequest): string | undefined {
  const named = (body ?? {}) as { tenant_id?: unknown };
  const ofBody = typeof named.tenant_id === 'string' ? named.tenant_id : undefined;
  return (params as { tenant?: string }).tenant ?? ofBody;
}

/** If no server was found, the change was not sent. */
function isOutcomeUnknown(error: unknown): boolean {
  if (error instanceof MongoServerSelectionError) return false;
  const { code } = classifyError(error);
  return code === 'POSTHORN_UNEXPECTED' || code === 'POSTHORN_MONGODB_UNAVAILABLE';
}

function keptOf(reply: FastifyReply, payload: unknown): KeptAnswer {
  const headers: Record<string, string> = {};
  for (const name of KEPT_HEADERS) {
    const value = reply.getHeader(name);
    if (value !== undefined) headers[name] = String(value);
  }
  return { status: reply.statusCode, headers, body: typeof payload === 'string' ? payload : '' };
}

async function replay(reply: FastifyReply, { status, headers, body }: KeptAnswer): Promise<void> {
  // Bytes, because the text is already serialized.
  reply.code(status).headers(headers).header('idempotency-replayed', 'true');
  await reply.send(Buffer.from(body));
}

function notFreed(log: Log, request: FastifyRequest) {
  return (error: Error): void => {
    log.warn({ error: error.message, request_id: request.id }, 'idempotency.key_not_freed');
  };
}

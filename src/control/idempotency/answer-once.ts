import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { MongoServerSelectionError } from 'mongodb';
import { classifyError } from '#infra/http/server/classify-error.ts';
import { readIdempotencyKey } from '#infra/http/idempotency-key.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { principalOf } from '../routes/access.ts';
import type { IdempotentAnswers, KeptAnswer } from './idempotent-answers.ts';

/** Header fields that belong to an answer itself. */
const KEPT_HEADERS = ['content-type', 'etag', 'location'] as const;

/**
 * Makes every POST of this scope that has an `Idempotency-Key` run once: the same request again, by the same API key,
 * gets the first answer again with `idempotency-replayed: true`. The claim comes after validation, so a malformed
 * request uses up no key. The answer is kept before it is sent.
 */
export function answerOnce(scope: FastifyInstance, answers: IdempotentAnswers, log: Log): void {
  scope.decorateRequest('idempotencyClaim', null);
  scope.addHook('preHandler', async (request, reply) => {
    if (request.method !== 'POST') return;
    const key = readIdempotencyKey(request.headers);
    if (key === undefined) return;
    const found = await answers.claim({
      caller: principalOf(request).keyId,
      method: request.method,
      tenant: tenantOf(request),
      path: request.url.split('?', 1)[0] as string,
      key,
      body: request.body,
    });
    if ('claim' in found) {
      request.setDecorator('idempotencyClaim', found.claim);
      return;
    }
    await replay(reply, found.answer);
  });
  scope.addHook('onError', (request, _reply, error, done) => {
    // The change may have been made: the key stays claimed, so that it is not made a second time.
    if (isOutcomeUnknown(error)) request.setDecorator('idempotencyClaim', null);
    done();
  });
  scope.addHook('onSend', async (request, reply, payload) => {
    const claim = request.getDecorator<string | null>('idempotencyClaim');
    if (claim === null) return payload;
    request.setDecorator('idempotencyClaim', null);
    if (reply.statusCode < 300) await answers.keep(claim, keptOf(reply, payload));
    else await answers.free(claim).catch(notFreed(log, request));
    return payload;
  });
}

/** An API key that is made for a tenant names it in its body: its answer goes with the tenant too. */
function tenantOf({ params, body }: FastifyRequest): string | undefined {
  const named = (body ?? {}) as { tenant?: unknown };
  const ofBody = typeof named.tenant === 'string' ? named.tenant : undefined;
  return (params as { tenant?: string }).tenant ?? ofBody;
}

/** A server that was never found was never asked. */
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
  // Bytes, because the text is serialized already.
  reply.code(status).headers(headers).header('idempotency-replayed', 'true');
  await reply.send(Buffer.from(body));
}

function notFreed(log: Log, request: FastifyRequest) {
  return (error: Error): void => {
    log.warn({ error: error.message, request_id: request.id }, 'idempotency.key_not_freed');
  };
}

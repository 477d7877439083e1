import type { FastifyRequest } from 'fastify';
import type { ClientSession } from 'mongodb';
import type { ActionClaim } from './action-claim.ts';
import type { Claim, IdempotentAnswers } from './idempotent-answers.ts';

/** Makes the change of one `Idempotency-Key` once: both steps are in the change's transaction. */
export interface ChangeClaim<T> {
  /** @throws PosthornError POSTHORN_IDEMPOTENCY_KEY_BUSY, if another request holds the claim */
  fence(session: ClientSession): Promise<void>;
  /** Stores the answer to the change. */
  keep(result: T, session: ClientSession): Promise<void>;
}

/** Puts the steps of the claim around a change, inside its transaction. */
export function withClaim<T>(
  claim: ChangeClaim<T> | undefined,
  change: (session: ClientSession) => Promise<T>,
): (session: ClientSession) => Promise<T> {
  if (claim === undefined) return change;
  return async (session) => {
    await claim.fence(session);
    const result = await change(session);
    await claim.keep(result, session);
    return result;
  };
}

/** The claim of a running request. */
export class RequestClaim {
  /** True once a transaction has stored the answer; it holds if that transaction committed. */
  isAnswerKept = false;
  /** True once an action may have done a part: a repeat must continue it. */
  isBegun = false;
  readonly claim: Claim;
  private readonly answers: IdempotentAnswers;
  private readonly target: string | undefined;

  /** @param target id of the resource that the path names; undefined: none */
  constructor(answers: IdempotentAnswers, claim: Claim, target: string | undefined) {
    this.target = target;
    this.answers = answers;
    this.claim = claim;
    this.isBegun = claim.earlier?.note !== undefined;
  }

  ofAction(): ActionClaim {
    const { id, earlier } = this.claim;
    return {
      id,
      ...(earlier === undefined ? {} : { earlier }),
      note: async (text) => {
        this.isBegun = true;
        await this.answers.note(this.claim, text);
      },
    };
  }

  /** @param answerHead status and header fields of the answer, for a result of the change */
  ofChange<T>(answerHead: (result: T) => AnswerHead): ChangeClaim<T> {
    return {
      fence: (session) => this.answers.fence(this.claim, session),
      keep: async (result, session) => {
        const { status, headers } = answerHead(result);
        const kept = { 'content-type': 'application/json; charset=utf-8', ...headers };
        const answer = { status, headers: kept, body: JSON.stringify(result) };
        const resource = idOf(result) ?? this.target;
        await this.answers.keep(
          this.claim,
          resource === undefined ? answer : { ...answer, resource },
          session,
        );
        this.isAnswerKept = true;
      },
    };
  }
}

/** The id of a created resource. */
function idOf(result: unknown): string | undefined {
  const { id } = (result ?? {}) as { id?: unknown };
  return typeof id === 'string' ? id : undefined;
}

export interface AnswerHead {
  status: number;
  headers?: Record<string, string>;
}

interface Reply {
  code(status: number): unknown;
  headers(values: Record<string, string>): unknown;
}

/**
 * Runs the change of a POST in a transaction that stores its answer too, and sets status and
 * header fields of the answer.
 *
 * @param change passes the claim to the transaction; undefined: the request has no
 *   `Idempotency-Key`
 */
export async function answerChange<T>(
  [request, reply]: [FastifyRequest, Reply],
  answerHead: (result: T) => AnswerHead,
  change: (claim: ChangeClaim<T> | undefined) => Promise<T>,
): Promise<T> {
  const result = await change(claimOf(request)?.ofChange(answerHead));
  const { status, headers = {} } = answerHead(result);
  reply.code(status);
  reply.headers(headers);
  return result;
}

/** Undefined: the request has no `Idempotency-Key`. */
export function actionClaimOf(request: FastifyRequest): ActionClaim | undefined {
  return claimOf(request)?.ofAction();
}

/** Null: the request has no `Idempotency-Key`, or its answer is stored or unknown. */
export function claimOf(request: FastifyRequest): RequestClaim | null {
  return request.getDecorator<RequestClaim | null>('idempotencyClaim');
}

/**
 * Keeps answers of the control API for 24 h under the `Idempotency-Key` of their request. States of
 * a key: free; claimed, while its request runs; answered; gone, if the resource of the answer was
 * deleted: the answer, which may hold a secret, is removed with it. A claim is one insert, so of
 * two concurrent requests only one runs. A rejected request frees its key.
 *
 * A claim names its holder by a random token, and has a deadline. A crash leaves the claim; after
 * the deadline a repeat of the request takes it over by replacing the token. The transaction of a
 * change first writes the claim under its token (`fence`), and stores the answer last (`keep`). So
 * the change, its answer and the check of the token commit together or not at all.
 *
 * After a crash before the commit the change is not made, and the claim can be taken over. After a
 * crash later than that the answer is stored, and every repeat gets it. A late holder finds another
 * token in `fence` and aborts. MongoDB aborts its transaction if the takeover comes between
 * snapshot and `fence`, because both write the claim. A takeover after `fence` waits for the end of
 * the transaction.
 *
 * Clocks may differ between processes: the deadline only decides when a takeover is tried. Actions
 * without a transaction store their answer after the change (`action-claim.ts`). After a crash in
 * between, a repeat takes the claim over with the action's note and continues it. So it does after
 * a fault of a server that follows the note, without waiting for the deadline.
 */
import { createHash, randomUUID } from 'node:crypto';
import { type ClientSession, type Collection, MongoServerError } from 'mongodb';
import type { Clock } from '#domain/clock.ts';
import { PosthornError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import { IDEMPOTENCY_KEY_POINTER } from '#infra/http/idempotency-key.ts';
import type { IdempotentAnswerDocument } from '#infra/mongo/idempotent-answers.ts';
import type { EarlierRun } from './action-claim.ts';
import type { Sealer } from '../resources/endpoint-secrets.ts';

const DUPLICATE_KEY = 11_000;
const TIME_LIMIT_EXCEEDED = 50;
/** How long a takeover waits for an open transaction of the earlier holder. */
const TAKEOVER_MS = 1000;

export interface IdempotentRequest {
  /** Id of the caller's API key. */
  caller: string;
  method: string;
  /** The tenant that the path or the body names; undefined: none. */
  tenant: string | undefined;
  /** The present life of the tenant; undefined: there is no such tenant. */
  life: string | undefined;
  /** Pattern of the route, with the names of its parameters. */
  route: string;
  /** Decoded: a path has many spellings. */
  params: Readonly<Record<string, string>>;
  key: string;
  query: unknown;
  body: unknown;
}

/** The right to run the request of a key. */
export interface Claim {
  id: string;
  /** Random, different for each holder. */
  holder: string;
  /** Set if the claim was taken over. */
  earlier?: EarlierRun;
}

export interface KeptAnswer {
  status: number;
  headers: Record<string, string>;
  body: string;
  /** Id of the resource that the answer shows. Absent: no deletion removes the answer. */
  resource?: string;
}

export interface IdempotentAnswersDeps {
  answers: Collection<IdempotentAnswerDocument>;
  /** Answers can contain secrets: they are stored sealed. */
  secretBox: Sealer;
  clock: Clock;
}

export class IdempotentAnswers {
  private readonly deps: IdempotentAnswersDeps;

  constructor(deps: IdempotentAnswersDeps) {
    this.deps = deps;
  }

  /**
   * Claims the key of a request.
   *
   * @returns the claim if the request must run, else its first answer
   * @throws PosthornError POSTHORN_IDEMPOTENCY_KEY_BUSY, POSTHORN_IDEMPOTENCY_KEY_REUSED
   */
  async claim(request: IdempotentRequest): Promise<{ claim: Claim } | { answer: KeptAnswer }> {
    const { answers, clock } = this.deps;
    const { tenant = null, query, body } = request;
    const _id = claimId(request);
    const fingerprint = digest(JSON.stringify([query ?? null, body ?? null]));
    const now = clock.wallMs();
    const holder = randomUUID();
    const expires_at = new Date(now + limits.idempotentAnswersKeptSeconds * 1000);
    const deadline_at = new Date(now + limits.idempotencyClaimSeconds * 1000);
    // MongoDB removes expired documents once a minute: until then they must not count.
    await answers.deleteOne({ _id, expires_at: { $lte: new Date(now) } });
    try {
      const made = { _id, tenant, fingerprint, sealed: null, holder, deadline_at, expires_at };
      await answers.insertOne(made);
      return { claim: { id: _id, holder } };
    } catch (error) {
      if (!isServerError(error, DUPLICATE_KEY)) throw error;
    }
    const known = await answers.findOne({ _id });
    // The request that held the claim was rejected in between.
    if (known === null) throw busy('its first request has just been rejected; try again');
    if (known.fingerprint !== fingerprint) {
      const detail = 'was used with another body; use a new key, or send the same body';
      throw new PosthornError('POSTHORN_IDEMPOTENCY_KEY_REUSED', {
        fields: [{ pointer: IDEMPOTENCY_KEY_POINTER, detail }],
      });
    }
    if (known.gone_at !== undefined) throw answerGone(known.gone_at);
    if (known.sealed !== null) return { answer: this.open(known.sealed, _id) };
    const isLate = known.deadline_at !== undefined && known.deadline_at.getTime() <= now;
    if (!isLate || !(await this.takeOver(known, { holder, deadline_at }))) throw stillRuns();
    return { claim: { id: _id, holder, earlier: earlierRunOf(known) } };
  }

  /**
   * Replaces the holder of a claim. False: the holder has stored an answer, has an open
   * transaction, or another request was first.
   */
  private async takeOver(
    { _id, holder }: IdempotentAnswerDocument,
    next: Required<Pick<IdempotentAnswerDocument, 'holder' | 'deadline_at'>>,
  ): Promise<boolean> {
    const held = { _id, holder: holder as string, sealed: null };
    const options = { maxTimeMS: TAKEOVER_MS };
    try {
      const result = await this.deps.answers.updateOne(held, { $set: next }, options);
      return result.matchedCount === 1;
    } catch (error) {
      if (isServerError(error, TIME_LIMIT_EXCEEDED)) return false;
      throw error;
    }
  }

  /**
   * Is the first step of the transaction of a change. Until the transaction ends, no other
   * request can take the claim over.
   *
   * @throws PosthornError POSTHORN_IDEMPOTENCY_KEY_BUSY if another request took the claim over, or
   *   the tenant was deleted
   */
  async fence({ id, holder }: Claim, session: ClientSession): Promise<void> {
    // An increment always writes: an update without a change would not conflict with a takeover.
    const result = await this.deps.answers.updateOne(
      { _id: id, holder },
      { $inc: { transactions: 1 } },
      { session },
    );
    if (result.matchedCount === 0) throw stillRuns();
  }

  /**
   * Stores the answer of a claim: from here on, repeats get it. With a session the answer is part
   * of the transaction that `fence` began. Without one, a holder whose claim was taken over stores
   * nothing.
   */
  async keep({ id, holder }: Claim, answer: KeptAnswer, session?: ClientSession): Promise<void> {
    const { resource, ...kept } = answer;
    const sealed = this.deps.secretBox.seal(JSON.stringify(kept), id);
    const options = session === undefined ? {} : { session };
    await this.deps.answers.updateOne(
      { _id: id, holder },
      { $set: { sealed, ...(resource === undefined ? {} : { resource }) } },
      options,
    );
  }

  /**
   * Stores the note of an action, and prolongs the claim.
   *
   * @throws PosthornError POSTHORN_IDEMPOTENCY_KEY_BUSY if another request took the claim over, or
   *   the tenant was deleted
   */
  async note({ id, holder }: Claim, note: string): Promise<void> {
    const deadlineMs = this.deps.clock.wallMs() + limits.idempotencyClaimSeconds * 1000;
    const result = await this.deps.answers.updateOne(
      { _id: id, holder },
      { $set: { note, deadline_at: new Date(deadlineMs) } },
    );
    if (result.matchedCount === 0) throw stillRuns();
  }

  /** Lets the next repeat take the claim over immediately: a fault of a server ended the action. */
  async abandon({ id, holder }: Claim): Promise<void> {
    const held = { _id: id, holder, sealed: null };
    await this.deps.answers.updateOne(held, { $set: { deadline_at: new Date(0) } });
  }

  private open(sealed: string, id: string): KeptAnswer {
    let text: string;
    try {
      text = this.deps.secretBox.open(sealed, id);
    } catch {
      throw busy('its first answer cannot be opened by the present master key; use a new key');
    }
    return JSON.parse(text) as KeptAnswer;
  }

  /** Frees the key of a rejected request. */
  async free({ id, holder }: Claim): Promise<void> {
    await this.deps.answers.deleteOne({ _id: id, holder, sealed: null });
  }
}

/** A claim expires a fixed time after its first run began. */
function earlierRunOf({ expires_at, note }: IdempotentAnswerDocument): EarlierRun {
  return { startedMs: expires_at.getTime() - limits.idempotentAnswersKeptSeconds * 1000, note };
}

/** Binds a key to its caller, the life of the tenant, the route and its decoded parameters. */
function claimId({ caller, method, life, route, params, key }: IdempotentRequest): string {
  const sorted = Object.entries(params).sort(([one], [other]) => (one < other ? -1 : 1));
  return digest(JSON.stringify([caller, method, life ?? null, route, sorted, key]));
}

function answerGone(at: Date): PosthornError {
  const detail = `its first answer showed a resource that was deleted at ${at.toISOString()}`;
  return new PosthornError('POSTHORN_IDEMPOTENT_ANSWER_GONE', {
    fields: [{ pointer: IDEMPOTENCY_KEY_POINTER, detail }],
  });
}

function stillRuns(): PosthornError {
  const seconds = limits.idempotencyClaimSeconds;
  return busy(`its first request has no answer yet; send it again, for at least ${seconds} s`);
}

function isServerError(error: unknown, code: number): boolean {
  return error instanceof MongoServerError && error.code === code;
}

function busy(detail: string): PosthornError {
  return new PosthornError('POSTHORN_IDEMPOTENCY_KEY_BUSY', {
    fields: [{ pointer: IDEMPOTENCY_KEY_POINTER, detail }],
    retryAfterSeconds: 1,
  });
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}

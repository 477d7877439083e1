/**
 * Keeps answers of the control API for 24 h under the `Idempotency-Key` of their request.
 * States of a key: free; claimed, while its request runs; answered. A claim is one insert, so of
 * two concurrent requests only one runs. A rejected request frees its key. A crash leaves the
 * claim. Then it is unknown whether the change was made, and the key is rejected until it expires,
 * because running the request again could create a second resource.
 */
import { createHash } from 'node:crypto';
import { type Collection, MongoServerError } from 'mongodb';
import type { Clock } from '#domain/clock.ts';
import { PosthornError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import { IDEMPOTENCY_KEY_POINTER } from '#infra/http/idempotency-key.ts';
import type { IdempotentAnswerDocument } from '#infra/mongo/idempotent-answers.ts';
import type { Sealer } from '../resources/endpoint-secrets.ts';

const DUPLICATE_KEY = 11_000;

export interface IdempotentRequest {
  /** Id of the caller's API key. */
  caller: string;
  method: string;
  /** The tenant that the path or the body names; undefined: none. */
  tenant: string | undefined;
  /** Including ids, without a query. */
  path: string;
  key: string;
  body: unknown;
}

export interface KeptAnswer {
  status: number;
  headers: Record<string, string>;
  body: string;
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
   * @returns the id of the claim if the request must run, else its first answer
   * @throws PosthornError POSTHORN_IDEMPOTENCY_KEY_BUSY, POSTHORN_IDEMPOTENCY_KEY_REUSED
   */
  async claim(request: IdempotentRequest): Promise<{ claim: string } | { answer: KeptAnswer }> {
    const { answers, clock } = this.deps;
    const { caller, method, tenant = null, path, key, body } = request;
    // No part can contain a line feed, except for the key, which is last.
    const claim = digest(`${caller}\n${method}\n${path}\n${key}`);
    const fingerprint = digest(JSON.stringify(body ?? null));
    const now = clock.wallMs();
    const expires_at = new Date(now + limits.idempotentAnswersKeptSeconds * 1000);
    // MongoDB removes expired documents once a minute: until then they must not count.
    await answers.deleteOne({ _id: claim, expires_at: { $lte: new Date(now) } });
    try {
      await answers.insertOne({ _id: claim, tenant, fingerprint, sealed: null, expires_at });
      return { claim };
    } catch (error) {
      if (!(error instanceof MongoServerError) || error.code !== DUPLICATE_KEY) throw error;
    }
    const known = await answers.findOne({ _id: claim });
    // The request that held the claim was rejected in between.
    if (known === null) throw busy('its first request has just been rejected; try again');
    if (known.fingerprint !== fingerprint) {
      const detail = 'was used with another body; use a new key, or send the same body';
      throw new PosthornError('POSTHORN_IDEMPOTENCY_KEY_REUSED', {
        fields: [{ pointer: IDEMPOTENCY_KEY_POINTER, detail }],
      });
    }
    if (known.sealed === null) {
      throw busy('its first request has no answer yet; if it never gets one, use a new key');
    }
    return { answer: this.open(known.sealed, claim) };
  }

  /** Stores the answer of a claim: from here on, repeats get it. */
  async keep(claim: string, answer: KeptAnswer): Promise<void> {
    const sealed = this.deps.secretBox.seal(JSON.stringify(answer), claim);
    await this.deps.answers.updateOne({ _id: claim }, { $set: { sealed } });
  }

  private open(sealed: string, claim: string): KeptAnswer {
    let text: string;
    try {
      text = this.deps.secretBox.open(sealed, claim);
    } catch {
      throw busy('its first answer cannot be opened by the present master key; use a new key');
    }
    return JSON.parse(text) as KeptAnswer;
  }

  /** Frees the key of a rejected request. */
  async free(claim: string): Promise<void> {
    await this.deps.answers.deleteOne({ _id: claim, sealed: null });
  }
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

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '#domain/limits.ts';
import type { OAuth2Credentials } from '#domain/endpoint/outbound-credentials.ts';
import type { TokenAnswer } from '#infra/http/client/request-access-token.ts';
import { AccessTokens } from '#src/delivery/attempt/access-tokens.ts';

const credentials: OAuth2Credentials = {
  type: 'oauth2',
  tokenUrl: 'https://auth.test/',
  clientId: 'c',
  clientSecret: 's',
  authMethod: 'client_secret_basic',
};
const never = new AbortController().signal;
const owner = (endpoint: string, revision = 'r1') => ({
  tenant: 'acme',
  endpoint,
  revision,
  credentials,
});

/** Answers `t1`, `t2`, …, each valid for a second. */
function startTokens() {
  const clock = { nowMs: 1000, requested: 0 };
  const answers: ((answer: TokenAnswer) => void)[] = [];
  const outcomes: boolean[] = [];
  const tokens = new AccessTokens({
    now: () => clock.nowMs,
    onAnswer: (ok) => outcomes.push(ok),
    isResolverDown: () => false,
    request: () => {
      clock.requested++;
      return new Promise((resolve) => answers.push(resolve));
    },
  });
  const answer = (): void =>
    answers.shift()?.({ ok: true, token: `t${clock.requested}`, keepMs: 1000 });
  const take = async (endpoint: string, revision?: string) => {
    const taken = tokens.take(owner(endpoint, revision), never);
    answer();
    return taken;
  };
  return { clock, answers, outcomes, tokens, answer, take };
}

test('a token is cached from its request until it expires', async () => {
  const { clock, tokens, answer, take } = startTokens();
  const first = tokens.take(owner('a'), never);
  clock.nowMs += 400;
  answer();
  assert.deepEqual(await first, { ok: true, token: 't1', kept: false });
  clock.nowMs += 599;
  assert.deepEqual(await take('a'), { ok: true, token: 't1', kept: true });
  clock.nowMs += 1;
  assert.deepEqual(await take('a'), { ok: true, token: 't2', kept: false });
  assert.equal(clock.requested, 2);
});

test('a failed request is reported to all waiting attempts and not cached', async () => {
  const { answers, outcomes, tokens, take } = startTokens();
  const waiting = [tokens.take(owner('a'), never), tokens.take(owner('a'), never)];
  const failure = { ok: false, detail: 'no', retryAfterMs: undefined } as const;
  answers.shift()?.(failure);
  for (const one of waiting) assert.deepEqual(await one, failure);
  assert.deepEqual(await take('a'), { ok: true, token: 't2', kept: false });
  assert.deepEqual(outcomes, [false, true]);
});

test('a token request continues for the next attempt when the waiting one is aborted', async () => {
  const { clock, tokens, answer } = startTokens();
  const limit = new AbortController();
  const first = tokens.take(owner('a'), limit.signal);
  limit.abort();
  assert.equal((await first).ok, false);
  const second = tokens.take(owner('a'), never);
  answer();
  assert.deepEqual(await second, { ok: true, token: 't1', kept: false });
  assert.equal((await tokens.take(owner('a'), limit.signal)).ok, false);
  assert.equal(clock.requested, 1);
});

test('a token request is ignored when the credentials change before its answer', async () => {
  const { tokens, answer } = startTokens();
  const old = tokens.take(owner('a', 'r1'), never);
  const fresh = tokens.take(owner('a', 'r2'), never);
  answer();
  answer();
  await old;
  await fresh;
  const kept = await tokens.take(owner('a', 'r2'), never);
  assert.deepEqual(
    [kept, await fresh].map((one) => one.ok && one.kept),
    [true, false],
  );
});

test('a rejected token is dropped, and a newer one is kept', async () => {
  const { clock, tokens, take } = startTokens();
  await take('a');
  tokens.drop(owner('a'), 'another');
  assert.deepEqual(await take('a'), { ok: true, token: 't1', kept: true });
  tokens.drop(owner('a'), 't1');
  tokens.drop(owner('b'), 't1');
  assert.deepEqual(await take('a'), { ok: true, token: 't2', kept: false });
  assert.equal(clock.requested, 2);
});

test('a tenant keeps at most its share of the tokens, and the least recently used is evicted', async () => {
  const { take } = startTokens();
  const share = limits.accessTokensMax * 0.8;
  for (let i = 0; i <= share; i++) await take(`e${i}`);
  const last = await take(`e${share}`);
  assert.equal(last.ok && last.kept, true);
  const first = await take('e0');
  assert.equal(first.ok && first.kept, false);
});

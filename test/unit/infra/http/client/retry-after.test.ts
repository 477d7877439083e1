import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { judge, defaultRetryPolicy } from '#domain/outcome/verdict.ts';
import { retryAfterMs } from '#infra/http/client/retry-after.ts';

/** A date without a zone must not be parsed in the time zone of the machine. */
function useTimeZone(t: TestContext, zone: string): void {
  const before = process.env['TZ'];
  process.env['TZ'] = zone;
  t.after(() => {
    if (before === undefined) delete process.env['TZ'];
    else process.env['TZ'] = before;
  });
}

const NOW = Date.parse('2026-01-31T12:00:00Z');
const cases: [string | string[] | undefined, number | undefined][] = [
  ['120', 120_000],
  [' 120 ', 120_000],
  ['0', 0],
  [['7', '9'], 7000],
  ['Sat, 31 Jan 2026 12:01:30 GMT', 90_000],
  // The obsolete forms of RFC 9110, section 5.6.7, which a recipient must accept.
  ['Saturday, 31-Jan-26 12:01:30 GMT', 90_000],
  ['Sat Jan 31 12:01:30 2026', 90_000],
  ['Sat, 31 Jan 2026 11:00:00 GMT', 0],
  [undefined, undefined],
  ['', undefined],
  ['soon', undefined],
  ['-5', undefined],
  ['1.5', undefined],
  ['1e3', undefined],
  ['2027', 2_027_000],
];
for (const [value, expected] of cases) {
  test(`Retry-After ${JSON.stringify(value)} is ${expected} ms`, (t) => {
    useTimeZone(t, 'America/New_York');
    assert.equal(retryAfterMs(value, NOW), expected);
  });
}

test('a number of seconds with any number of digits is a long delay, not none', () => {
  const askedMs = retryAfterMs('9'.repeat(400), NOW);
  const outcome = {
    ok: false as const,
    kind: 'http_status' as const,
    status: 503,
    detail: '',
    retryAfterMs: askedMs,
  };
  const delayMs = defaultRetryPolicy.retryAfterMaxMs;
  assert.deepEqual(judge(defaultRetryPolicy, 1, outcome, 0), { kind: 'retry', delayMs });
});

import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { systemClock } from '#infra/system-clock.ts';
import { LEAF } from '#domain/json/json-outline.ts';
import { limits } from '#domain/limits.ts';
import { createApp } from '#infra/http/server/app.ts';
import type { UnparsedMember } from '#infra/http/server/body/parse-json-bodies.ts';
import { createLog } from '#infra/telemetry/log.ts';
import type { Problem } from '#wire/problem.ts';

function post(t: TestContext, payload: string) {
  const settings = {
    readTimeoutMs: 15_000,
    idleTimeoutMs: 72_000,
    writeTimeoutMs: 30_000,
  };
  const app = createApp({ clock: systemClock, settings, log: createLog('silent') });
  t.after(() => app.close());
  app.post('/echo', (request) => request.body);
  const unparsedMember: UnparsedMember = { name: 'event', wanted: { each: LEAF } };
  app.post('/unparsed', { config: { unparsedMember } }, (request) => request.body);
  const body = { type: 'object', additionalProperties: false, properties: {} };
  app.post('/strict', { schema: { body } }, (request) => request.body);
  const headers = { 'content-type': 'application/json' };
  return {
    echo: () => app.inject({ method: 'POST', url: '/echo', headers, payload }),
    unparsed: () => app.inject({ method: 'POST', url: '/unparsed', headers, payload }),
    strict: () => app.inject({ method: 'POST', url: '/strict', headers, payload }),
  };
}

const NAMES = Array.from({ length: limits.requestJsonNamesMax * 2 }, (_, i) => `"${i}":1`);

const refused: [what: string, body: string, detail: RegExp][] = [
  ['arrays in arrays', '['.repeat(500_000), /nested deeper than 72/],
  ['small numbers', `[${'1,'.repeat(250_000)}1]`, /more than 50000 values/],
  ['empty objects', `[${'{},'.repeat(160_000)}1]`, /more than 20000 arrays and objects/],
  ['different names', `{${NAMES.join(',')}}`, /more than 10000 different names/],
];
for (const [what, body, detail] of refused) {
  test(`rejects a request body of ${what} with POSTHORN_REQUEST_INVALID`, async (t) => {
    const answer = await post(t, body).echo();
    const problem = answer.json<Problem>();
    assert.equal(problem.code, 'POSTHORN_REQUEST_INVALID');
    assert.match(problem.errors?.[0]?.detail ?? '', detail);
  });
}

test('a large request body is parsed like a small one', async (t) => {
  const small = { a: ['ä', 1.5, null, { b: true }] };
  const large = { text: 'x'.repeat(limits.jsonAtOnceBytesMax), ...small };
  assert.deepEqual((await post(t, JSON.stringify(small)).echo()).json(), small);
  assert.deepEqual((await post(t, JSON.stringify(large)).echo()).json(), large);
});

test('rejects a large request body that is not JSON with POSTHORN_BODY_INVALID', async (t) => {
  const answer = await post(t, `{"text":"${'x'.repeat(limits.jsonAtOnceBytesMax)}"`).echo();
  assert.equal(answer.json<Problem>().code, 'POSTHORN_BODY_INVALID');
});

test('an answer names at most 50 fields and truncates long names', async (t) => {
  const name = 'n'.repeat(10_000);
  const members = Array.from({ length: 40 }, (_, i) => `"${name}${i}":1`);
  const many = Array.from({ length: 60 }, (_, i) => `"m${i}":1`);
  const answer = await post(t, `{${[...members, ...many].join(',')}}`).strict();
  const { errors = [] } = answer.json<Problem>();
  assert.equal(errors.length, limits.fieldErrorsMax);
  assert.equal(errors[0]?.pointer.length, limits.problemTextLengthMax + 1);
  assert.ok(answer.body.length < limits.fieldErrorsMax * limits.problemTextLengthMax * 1.5);
});

test('rejects a number in a filter or schema that a double cannot represent', async (t) => {
  const cases = [
    ['{"filter":{"data.id":{"$in":[1,12345678901234567890]}}}', '/filter/data.id/$in/1'],
    ['{"schema":{"maximum":9007199254740993}}', '/schema/maximum'],
    [`{"text":"${'x'.repeat(limits.jsonAtOnceBytesMax)}","filter":1e999}`, '/filter'],
  ] as const;
  for (const [body, pointer] of cases) {
    const problem = (await post(t, body).echo()).json<Problem>();
    assert.equal(problem.code, 'POSTHORN_REQUEST_INVALID');
    assert.equal(problem.errors?.[0]?.pointer, pointer);
    assert.match(problem.errors?.[0]?.detail ?? '', /more digits than a 64-bit float keeps/);
  }
});

test('a sample event may contain numbers with more digits than a double', async (t) => {
  const answer = await post(t, '{"event":{"data":12345678901234567890}}').echo();
  assert.equal(answer.statusCode, 200);
});

test('an unparsed member keeps its text in small and large bodies', async (t) => {
  for (const rest of ['x', 'x'.repeat(limits.jsonAtOnceBytesMax)]) {
    const event = '{"__proto__":1, "n":1e400,"n":1.0}';
    const answer = await post(t, `{"é":"${rest}","event":${event},"filter":{"a":1}}`).unparsed();
    assert.deepEqual(answer.json(), { é: rest, event, filter: { a: 1 } });
  }
});

test('rejects a filter, schema or unparsed member that occurs twice', async (t) => {
  const twice = [
    ['{"filter":{"a":1},"filter":{"a":12345678901234567890}}', '/filter'],
    ['{"schema":true,"\\u0073chema":true}', '/schema'],
    ['{"event":{},"event":{}}', '/event'],
  ] as const;
  for (const [body, pointer] of twice) {
    const problem = (await post(t, body).unparsed()).json<Problem>();
    assert.equal(problem.code, 'POSTHORN_REQUEST_INVALID');
    assert.deepEqual(problem.errors, [{ pointer, detail: 'duplicate key' }]);
  }
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createApp } from '#infra/http/server/app.ts';
import { systemClock } from '#infra/system-clock.ts';
import { createLog } from '#infra/telemetry/log.ts';
import { faultCases } from './fault-cases.ts';

const settings = {
  readTimeoutMs: 15_000,
  idleTimeoutMs: 72_000,
  writeTimeoutMs: 30_000,
};

for (const [index, { keyword, schema, body, pointer, detail }] of faultCases.entries()) {
  test(`rejects a body that breaks ${keyword} with "${detail}" (${index})`, async (t) => {
    const app = createApp({ clock: systemClock, settings, log: createLog('silent') });
    t.after(() => app.close());
    app.post('/', { schema: { body: schema } }, () => 'accepted');
    const answer = await app.inject({
      method: 'POST',
      url: '/',
      headers: { 'content-type': 'application/json' },
      payload: JSON.stringify(body),
    });
    assert.equal(answer.statusCode, 400, answer.body);
    const problem = answer.json();
    assert.deepEqual(problem.errors, [{ pointer, detail }]);
    assert.equal(problem.detail, `${pointer || 'the body'} ${detail}`);
  });
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { showAttempt } from '#src/control/search/resources.ts';

const attempt = {
  _id: 'att_1',
  tenant: 'acme',
  delivery: 'dlv_1',
  event: 'evt_1',
  type: 'person.created',
  endpoint: 'ep_1',
  no: 1,
  started_at: new Date(0),
  duration_ms: 1,
  response_status: 200,
  response_headers: { 'x-echo': 'secret' },
  response_body: 'secret',
  worker: 'w',
};

for (const sensitive of [true, false]) {
  test(`the response is ${sensitive ? 'hidden' : 'shown'} when the event type is ${sensitive ? '' : 'not '}sensitive`, () => {
    const config = { eventType: () => ({ sensitive }) };
    const shown = showAttempt(config as never, attempt as never);
    assert.equal(JSON.stringify(shown).includes('secret'), !sensitive);
    assert.equal(shown.response_status, 200);
  });
}

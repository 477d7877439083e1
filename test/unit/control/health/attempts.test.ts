import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AttemptsByEndpoint } from '#src/control/health/attempts.ts';
import type { ReplayLink } from '#wire/frames/delivery-frame.ts';
import type { DeliveryRecord } from '#wire/frames/record.ts';

function recordOf(id: string, link: ReplayLink = {}): DeliveryRecord {
  const attempt = { id: `${id}:1`, no: 1, startedMs: 1000, durationMs: 2, worker: 'w' };
  const facts = { tenant: 'acme', event: 'e1', type: 'a.b', acceptedMs: 1, id, endpoint: 'ep_1' };
  return { k: 'delivery', ...facts, hop: 0, status: 'delivered', attempt, ...link };
}

test('attempts count towards the health of their endpoint, unless a replay made them', () => {
  const attempts = new AttemptsByEndpoint();
  attempts.add(recordOf('dlv_2', { replayOf: 'dlv_1' }));
  attempts.add(recordOf('dlv_3', { replay: 'rpl_1' }));
  assert.equal(attempts.byEndpoint.size, 0);
  attempts.add(recordOf('dlv_1'));
  assert.equal(attempts.byEndpoint.get('ep_1')?.lastSuccessMs, 1000);
});

import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { defaultRetryPolicy } from '#domain/outcome/verdict.ts';
import { systemClock } from '#infra/system-clock.ts';
import { EndpointSettings } from '#src/delivery/actors/endpoint-settings.ts';

const delivered = { outcome: { ok: true, status: 200 } };

test('attempts in flight add no listener to the signal that all endpoints share', async () => {
  const settings = new EndpointSettings(
    { retryPolicy: defaultRetryPolicy, inFlightMax: 8, timeoutMs: 60_000 },
    systemClock,
    undefined,
  );
  const shared: AbortSignal[] = [];
  await settings.circuit.policy.execute(({ signal }) => {
    shared.push(signal);
    return delivered;
  });
  const ends: (() => void)[] = [];
  const attempts = Array.from({ length: 3 }, () =>
    settings.attemptPolicy.execute(async () => {
      await new Promise<void>((resolve) => ends.push(resolve));
      return delivered;
    }),
  );
  assert.equal(ends.length, 3);
  assert.equal(getEventListeners(shared[0] as AbortSignal, 'abort').length, 0);
  for (const end of ends) end();
  await Promise.all(attempts);
});

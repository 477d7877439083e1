import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CircuitState } from 'cockatiel';
import { defaultRetryPolicy } from '#domain/outcome/verdict.ts';
import type { SendResult } from '#infra/http/client/sender.ts';
import { EndpointSettings } from '#src/delivery/actors/endpoint-settings.ts';

const HOUR_MS = 3_600_000;

function result(status: number): SendResult {
  const ok = status < 300;
  const failure = { ok, kind: 'http_status', status, detail: '', retryAfterMs: undefined };
  return {
    outcome: (ok ? { ok, status } : failure) as SendResult['outcome'],
    note: undefined,
    repeatedAtMs: undefined,
    responseHeaders: undefined,
    responseBody: Buffer.alloc(0),
  };
}

test('an open circuit probes again after its delay when the clock was set back in between', async (t) => {
  let nowMs = Date.now();
  t.mock.method(Date, 'now', () => nowMs);
  const defaults = { retryPolicy: defaultRetryPolicy, inFlightMax: 8, timeoutMs: 1000 };
  const settings = new EndpointSettings(defaults, undefined);
  for (let i = 0; i < 20; i++) await settings.policies.execute(async () => result(500));
  assert.equal(settings.circuit.state, CircuitState.Open);
  nowMs -= HOUR_MS;
  await assert.rejects(settings.policies.execute(async () => result(200)));
  settings.clampCircuitClock(nowMs);
  // Still open for its delay: the receiver has not recovered because of the clock.
  await assert.rejects(settings.policies.execute(async () => result(200)));
  settings.clampCircuitClock(nowMs);
  nowMs += 10_000;
  assert.equal(
    (await settings.policies.execute<SendResult>(async () => result(200))).outcome.ok,
    true,
  );
  assert.equal(settings.circuit.state, CircuitState.Closed);
});

test('unhealthyMs counts from the opening of the circuit to its closing, across failed probes', async (t) => {
  let nowMs = Date.now();
  let monotonicMs = 1000;
  t.mock.method(Date, 'now', () => nowMs);
  t.mock.method(performance, 'now', () => monotonicMs);
  const pass = (ms: number): void => {
    nowMs += ms;
    monotonicMs += ms;
  };
  const defaults = { retryPolicy: defaultRetryPolicy, inFlightMax: 8, timeoutMs: 1000 };
  const settings = new EndpointSettings(defaults, undefined);
  assert.equal(settings.unhealthyMs, undefined);
  for (let i = 0; i < 20; i++) await settings.policies.execute(async () => result(500));
  pass(10_000);
  await settings.policies.execute(async () => result(500));
  assert.equal(settings.circuit.state, CircuitState.Open);
  assert.equal(settings.unhealthyMs, 10_000);
  const kept = new EndpointSettings(defaults, settings.circuit.toJSON());
  pass(120_000);
  assert.equal(kept.unhealthyMs, 120_000);
  await settings.policies.execute(async () => result(200));
  assert.equal(settings.unhealthyMs, undefined);
});

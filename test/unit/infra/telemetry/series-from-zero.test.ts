/**
 * Alerts use `rate` and `increase`, which miss the first value of a series: it has to begin at 0.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry } from 'prom-client';
import { createLog } from '#infra/telemetry/log.ts';
import { DeliveryMetrics } from '#src/delivery/delivery-metrics.ts';
import { EventResults } from '#src/ingress/accept/event-results.ts';
import { RefusalLog } from '#src/ingress/http/refusal-log.ts';

test('series that alerts count are exported as 0 before their first increment', async () => {
  const registry = new Registry();
  const refusals = new RefusalLog({ log: createLog('silent'), now: () => 0 });
  assert.ok(new DeliveryMetrics(registry));
  assert.ok(new EventResults({ registry, refusals }));
  const exposed = await registry.metrics();
  const series = [
    'posthorn_ingress_events_total{result="refused"}',
    'posthorn_ingress_events_total{result="not_stored"}',
    ...['dns', 'connect', 'tls', 'timeout', 'unexpected'].map(failedBy),
    'posthorn_delivery_attempts_total{outcome="failure",status_class="5xx",error_type="http_status"}',
    'posthorn_delivery_local_faults_total{fault="memory"}',
    'posthorn_delivery_retry_delay_seconds_count',
  ];
  for (const one of series) assert.ok(exposed.includes(`${one} 0\n`), one);
});

const failedBy = (kind: string) =>
  `posthorn_delivery_attempts_total{outcome="failure",status_class="none",error_type="${kind}"}`;

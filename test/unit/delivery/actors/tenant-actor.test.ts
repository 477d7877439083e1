import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '#infra/system-clock.ts';
import { defaultRetryPolicy } from '#domain/outcome/verdict.ts';
import type { EndpointActorDeps } from '#src/delivery/actors/endpoint-actor.ts';
import type { InFlightDelivery } from '#src/delivery/intake/in-flight-delivery.ts';
import { TenantActor } from '#src/delivery/actors/tenant-actor.ts';
import { TurnScheduler } from '#src/delivery/scheduling/turn-scheduler.ts';

/** A delivery that is settled on arrival. */
function cancelled(endpoint: string, receivedMs: number): InFlightDelivery {
  const head = { id: 'dlv_1', endpoint, attemptNo: 1, hop: 0, eventSeq: 1, cancelled: true };
  return {
    tenant: 'acme',
    endpoint,
    deliveryClass: 's',
    head,
    receivedMs,
  } as unknown as InFlightDelivery;
}

test('a tenant that is never idle passivates its idle endpoints', () => {
  const activated: string[] = [];
  const settler = { cancel: () => undefined };
  const policies = { retryPolicy: defaultRetryPolicy, inFlightMax: 8, timeoutMs: 1000 };
  const actor = new TenantActor('acme', {
    clock: systemClock,
    config: {
      tenant: () => undefined,
      currentTenant: () => undefined,
      eventType: () => undefined,
      apiKey: () => undefined,
    },
    scheduler: new TurnScheduler(8),
    endpoint: { ...policies, settler, clock: systemClock } as unknown as EndpointActorDeps,
    takeCircuit: (endpoint) => void activated.push(endpoint),
  });
  const keep = (): void => assert.fail('a closed circuit was kept');
  actor.deliver(cancelled('ep_1', 10));
  actor.deliver(cancelled('ep_2', 100));
  assert.equal(actor.passivate(50, keep), false);
  actor.deliver(cancelled('ep_2', 110));
  assert.deepEqual(activated, ['ep_1', 'ep_2']);
  actor.deliver(cancelled('ep_1', 120));
  assert.deepEqual(activated, ['ep_1', 'ep_2', 'ep_1']);
  assert.equal(actor.passivate(Number.POSITIVE_INFINITY, keep), true);
});

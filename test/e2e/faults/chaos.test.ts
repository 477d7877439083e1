import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planes } from '#config/schema.ts';
import { startSystem } from '#testkit/system.ts';
import { WebhookReceiver } from '#testkit/webhook-receiver.ts';
import { inTurn } from '../../chaos/faults/in-turn.ts';
import { killAllBrokers } from '../../chaos/faults/brokers/kill-all-brokers.ts';
import { killRole } from '../../chaos/faults/processes/kill-role.ts';
import { runFault } from '../../chaos/run-fault.ts';

// The short form of `npm run test:chaos`, which runs all faults against a cluster.
test('no event is lost when each role and the broker are killed under load', async (t) => {
  const receiver = await WebhookReceiver.start();
  const system = await startSystem([['ingress'], ['router'], ['delivery'], ['control']]);
  t.after(async () => {
    await system.stop();
    await receiver.close();
  });
  const fault = inTurn('kill-all', [...planes.map(killRole), killAllBrokers]);
  const row = await runFault(fault, { system, receiver, seed: 1, events: 1200 });
  t.diagnostic(JSON.stringify(row));
  assert.equal(row.accepted, 1200);
  assert.deepEqual(row.lost, []);
  assert.deepEqual(row.faults, []);
});

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { waitUntil } from '#testkit/wait-until.ts';
import { type NatsCore, startNatsCore } from '../../nats-core.ts';
import { type Death, LaneOwner, PRESSED, SOON, publishToLane } from './lane-owner.ts';

/** Fewer periods than in production, in the same order. */
const RULES = { quietMs: 3000, graceMs: 6000, reconcileEveryMs: 2000 };

/**
 * The whole life of a lane, and of one that a late message creates; ends where the owner crashes.
 */
async function live(core: NatsCore, owner: LaneOwner, tenant: string): Promise<string[]> {
  const published: string[] = [];
  const isOver = (condition: () => boolean): Promise<unknown> =>
    waitUntil(async () => {
      if (owner.isDead || condition()) return true;
      await owner.advance();
      owner.ackHeld();
      return undefined;
    }, SOON);
  await owner.advance({ [tenant]: PRESSED });
  if (owner.store.has(tenant)) {
    for (let i = 0; i < 3; i++) published.push(await publishToLane(core, tenant));
    await waitUntil(() => owner.isDead || owner.held.length === published.length, SOON);
    // It keeps them unacked for some periods.
    for (let i = 0; i < 5; i++) await owner.advance();
  }
  await isOver(() => !owner.store.has(tenant));
  // A router with a stale watch publishes while the lane drains.
  published.push(await publishToLane(core, tenant));
  await isOver(() => owner.lanes.draining === 0);
  // Another router publishes after any grace period.
  published.push(await publishToLane(core, tenant));
  await isOver(() => owner.steps.filter((step) => step === 'removeConsumer').length === 2);
  return published;
}

async function takenOver(
  t: TestContext,
  core: NatsCore,
  tenant: string,
  death: Death,
): Promise<string[]> {
  const first = await LaneOwner.start(t, core, { holds: true, death, rules: RULES });
  const published = await live(core, first, tenant);
  assert.ok(first.isDead, `it died at step ${death.afterSteps}`);
  const next = await LaneOwner.start(t, core, { rules: RULES });
  // After the first reconciliation every stored message has a consumer.
  await next.advance();
  await waitUntil(
    () => published.every((text) => first.settled.includes(text) || next.settled.includes(text)),
    { ...SOON, what: `everything arrives after ${first.steps.join(', ')}` },
  );
  // Once no more messages arrive, nothing is left.
  await waitUntil(async () => {
    await next.advance({}, 10);
    return next.lanes.active === 0 && next.lanes.draining === 0;
  }, SOON);
  assert.equal((await next.broker.backlogs()).size, 0);
  assert.equal((await next.broker.stored()).size, 0);
  assert.deepEqual([...next.broker.announced()], []);
  await next.stop();
  return first.steps;
}

const MADE = ['makeConsumer', 'open'];
const LIFE = [...MADE, 'announce', 'withdraw', 'removeConsumer', ...MADE, 'removeConsumer'];

test('a lane passes through all its states and leaves nothing behind when its owner lives', async (t) => {
  const core = await startNatsCore(t);
  const owner = await LaneOwner.start(t, core, { holds: true, rules: RULES });
  const published = await live(core, owner, 'acme');
  assert.deepEqual(owner.steps, LIFE);
  assert.deepEqual(owner.settled, published);
  await owner.stop();
});

test('the next owner finishes and loses nothing when an owner crashes before or after any step', async (t) => {
  const core = await startNatsCore(t);
  for (let afterSteps = 1; afterSteps <= LIFE.length; afterSteps++) {
    for (const when of ['before', 'after'] as const) {
      const steps = await takenOver(t, core, `t-${afterSteps}-${when}`, { afterSteps, when });
      assert.deepEqual(steps, LIFE.slice(0, afterSteps));
    }
  }
});

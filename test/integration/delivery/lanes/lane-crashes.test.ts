import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { waitUntil } from '../../../kit/wait-until.ts';
import { type NatsCore, startNatsCore } from '../../publisher/nats-core.ts';
import { type Death, LaneOwner, PRESSED, SOON, oweByLane } from './lane-owner.ts';

/** Fewer looks than in life, in the same order. */
const RULES = { quietMs: 3000, graceMs: 6000, compareEveryMs: 2000 };

/** The whole life of a lane, and of one that something late makes; ends where the owner dies. */
async function live(core: NatsCore, owner: LaneOwner, tenant: string): Promise<string[]> {
  const owed: string[] = [];
  const isOver = (condition: () => boolean): Promise<unknown> =>
    waitUntil(async () => {
      if (owner.isDead || condition()) return true;
      await owner.look();
      owner.ackHeld();
      return undefined;
    }, SOON);
  await owner.look({ [tenant]: PRESSED });
  if (owner.store.has(tenant)) {
    for (let i = 0; i < 3; i++) owed.push(await oweByLane(core, tenant));
    await waitUntil(() => owner.isDead || owner.held.length === owed.length, SOON);
    // It holds them for some looks.
    for (let i = 0; i < 5; i++) await owner.look();
  }
  await isOver(() => !owner.store.has(tenant));
  // A router hears late, while the lane drains.
  owed.push(await oweByLane(core, tenant));
  await isOver(() => owner.lanes.draining === 0);
  // And one hears later than any grace.
  owed.push(await oweByLane(core, tenant));
  await isOver(() => owner.steps.filter((step) => step === 'removeConsumer').length === 2);
  return owed;
}

async function takenOver(
  t: TestContext,
  core: NatsCore,
  tenant: string,
  death: Death,
): Promise<string[]> {
  const first = await LaneOwner.start(t, core, { holds: true, death, rules: RULES });
  const owed = await live(core, first, tenant);
  assert.ok(first.isDead, `it died at step ${death.afterSteps}`);
  const next = await LaneOwner.start(t, core, { rules: RULES });
  // At its first look everything that is stored has a consumer.
  await next.look();
  await waitUntil(
    () => owed.every((text) => first.settled.includes(text) || next.settled.includes(text)),
    { ...SOON, what: `everything arrives after ${first.steps.join(', ')}` },
  );
  // And then, as nothing comes any more, nothing is left.
  await waitUntil(async () => {
    await next.look({}, 10);
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

test('an owner that lives takes a lane through all its states, and nothing is left', async (t) => {
  const core = await startNatsCore(t);
  const owner = await LaneOwner.start(t, core, { holds: true, rules: RULES });
  const owed = await live(core, owner, 'acme');
  assert.deepEqual(owner.steps, LIFE);
  assert.deepEqual(owner.settled, owed);
  await owner.stop();
});

test('an owner that dies before or after any step: the next one finishes, and nothing is lost', async (t) => {
  const core = await startNatsCore(t);
  for (let afterSteps = 1; afterSteps <= LIFE.length; afterSteps++) {
    for (const when of ['before', 'after'] as const) {
      const steps = await takenOver(t, core, `t-${afterSteps}-${when}`, { afterSteps, when });
      assert.deepEqual(steps, LIFE.slice(0, afterSteps));
    }
  }
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry } from 'prom-client';
import { limits } from '#domain/limits.ts';
import { createLog } from '#infra/telemetry/log.ts';
import { TenantLives } from '#infra/tenant-lives.ts';
import { LifeGate } from '#src/router/lives/life-gate.ts';
import type { InFlightEvent } from '#src/router/in-flight-event.ts';
import type { TenantSnapshot } from '#wire/config-snapshot.ts';

interface Started {
  lives: TenantLives;
  /** Sets the life that the configuration has. */
  know: (life: number) => void;
  pass: (ms: number) => void;
  dropped: () => Promise<number>;
}

function start(): Started {
  let life = 0;
  let nowMs = 0;
  const registry = new Registry();
  const lives = new TenantLives({
    config: { currentTenant: () => ({ life }) as TenantSnapshot },
    registry,
    log: createLog('silent'),
    clock: { monotonicMs: () => nowMs },
  });
  return {
    lives,
    know: (known) => {
      life = known;
    },
    pass: (ms) => {
      nowMs += ms;
    },
    async dropped() {
      const text = await registry.metrics();
      return Number(/_dropped_total\{kind="event"\} (\d+)/.exec(text)?.[1]);
    },
  };
}

test('the wait for an unknown life ends after its bound, and each message is counted', async () => {
  const { lives, pass, dropped } = start();
  assert.equal(lives.gaveUpOn('acme=1', 'event'), false);
  pass(limits.unbornLifeWaitMs - 1);
  assert.equal(lives.gaveUpOn('acme=1', 'event'), false);
  pass(1);
  assert.equal(lives.gaveUpOn('acme=1', 'event'), true);
  assert.equal(lives.gaveUpOn('acme=1', 'event'), true);
  assert.equal(await dropped(), 2);
});

test('the wait for a life starts over when the life was known in between', async () => {
  const { lives, know, pass, dropped } = start();
  assert.equal(lives.gaveUpOn('acme=1', 'event'), false);
  pass(limits.unbornLifeWaitMs);
  know(1);
  assert.equal(lives.gaveUpOn('acme=1', 'event'), false);
  know(0);
  assert.equal(lives.gaveUpOn('acme=1', 'event'), false);
  assert.equal(await dropped(), 0);
});

test('an event of a life that stays unknown is acked and not routed', async () => {
  const { lives, pass } = start();
  lives.gaveUpOn('acme=1', 'event');
  pass(limits.unbornLifeWaitMs);
  const gate = new LifeGate({ lives, refresh: async () => undefined });
  const answers: string[] = [];
  const message = {
    isOwner: () => true,
    ack: () => answers.push('ack'),
    nak: () => answers.push('nak'),
  } as unknown as InFlightEvent;
  assert.equal(await gate.admits(message, 'acme=1'), false);
  assert.deepEqual(answers, ['ack']);
});

/**
 * Rolls out ingress behind a balancer that sends to pods directly. As in Kubernetes, the new pod
 * becomes ready first; then the old pod is deregistered and gets SIGTERM.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as preStop } from 'node:timers/promises';
import { TargetGroup } from '#testkit/network/target-group.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { LocalSystem } from '../runbooks/local-system.ts';

/**
 * The proportions of the real balancer, in a shorter time: a target is healthy after three checks,
 * and the hook preStop of the chart lasts longer than a deregistration.
 */
const BALANCER = {
  healthPath: '/health',
  checkEveryMs: 500,
  healthyThreshold: 3,
  propagationMs: 300,
};
const PRE_STOP_MS = 900;

let system: LocalSystem;
before(async () => {
  system = await LocalSystem.run();
  await system.endpoint('acme', system.receiver.url('/'));
});
after(() => system?.stop());

/** @returns the statuses of all publishes through the balancer during two roll-outs */
async function rollOutTwice(group: TargetGroup, readinessGate: boolean): Promise<Set<number>> {
  const startPod = async () => {
    const pod = await system.another('ingress');
    return { pod, target: group.register(pod.apiUrl) };
  };
  const healthy = (target: { state: string }): Promise<boolean> =>
    waitUntil(() => target.state === 'healthy', { what: 'a healthy target', deadlineMs: 30_000 });

  let current = await startPod();
  await healthy(current.target);
  const statuses = new Set<number>();
  const rollOut = { isGoing: true };
  const producer = async (name: string): Promise<void> => {
    for (let i = 0; rollOut.isGoing; i++) {
      const { status } = await system.publish('acme', 'order.created', `${name}-${i}`, group.url);
      statuses.add(status);
    }
  };
  const producers = ['a', 'b', 'c', 'd'].map((name) => producer(`${readinessGate}-${name}`));
  for (let i = 0; i < 2; i++) {
    const next = await startPod();
    if (readinessGate) await healthy(next.target);
    group.deregister(current.target);
    await preStop(PRE_STOP_MS);
    await current.pod.end();
    current = next;
  }
  await healthy(current.target);
  rollOut.isGoing = false;
  await Promise.all(producers);
  group.deregister(current.target);
  await current.pod.end();
  return statuses;
}

test('a roll-out with the readiness gate of the load balancer rejects no publish', async (t) => {
  const group = await TargetGroup.start(BALANCER);
  t.after(() => group.close());
  assert.deepEqual([...(await rollOutTwice(group, true))], [202]);
});

test('a roll-out without the readiness gate leaves the load balancer without targets', async (t) => {
  const group = await TargetGroup.start(BALANCER);
  t.after(() => group.close());
  assert.ok((await rollOutTwice(group, false)).has(503));
});

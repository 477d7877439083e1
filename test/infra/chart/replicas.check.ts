/** The number of pods is set by the values or by an autoscaler. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { at, helm, kubernetesVersion, only, parseManifests, type Manifest } from '../manifests.ts';
import { tools, without } from '../tools.ts';
import { serveObjects } from './kube-stand-in.ts';
import { renderValues } from './values.ts';

const skip = without(tools.helm);
const ROLES = ['ingress', 'router', 'delivery', 'control'];
const rollouts = { enabled: true };

/** Returns the replicas in the chart. A role without replicas is omitted. */
function replicasOf(manifests: Manifest[], kind = 'Deployment'): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const role of ROLES) {
    const replicas = at(only(manifests, kind, `posthorn-${role}`), 'spec', 'replicas');
    if (replicas !== undefined) out[role] = replicas;
  }
  return out;
}

/** Returns the names of the workloads that an autoscaler scales. */
function scaled(manifests: Manifest[]): string[] {
  return manifests
    .filter(({ kind }) => ['HorizontalPodAutoscaler', 'ScaledObject'].includes(kind))
    .map(({ spec }) => at(spec, 'scaleTargetRef', 'name') as string)
    .toSorted();
}

test('replicas are set for exactly those roles that no autoscaler scales', { skip }, async () => {
  const off = { autoscaling: { enabled: false } };
  const cases: [values: object, replicas: Record<string, number>][] = [
    [{}, { control: 2 }],
    [{ autoscaling: { keda: false } }, { router: 3, delivery: 3, control: 2 }],
    [
      {
        roles: { ingress: { ...off, replicas: 5 }, router: off, delivery: { ...off, replicas: 7 } },
      },
      { ingress: 5, router: 3, delivery: 7, control: 2 },
    ],
  ];
  for (const [values, expected] of cases) {
    for (const kind of ['Deployment', 'Rollout']) {
      const manifests = await renderValues(kind === 'Rollout' ? { ...values, rollouts } : values);
      assert.deepEqual(replicasOf(manifests, kind), expected);
      const others = ROLES.filter((role) => !(role in expected)).map((role) => `posthorn-${role}`);
      assert.deepEqual(scaled(manifests), others.toSorted());
    }
  }
});

for (const live of ['Deployment', 'Rollout']) {
  for (const wanted of ['Deployment', 'Rollout']) {
    test(
      `an upgrade to a ${wanted} keeps the replicas of the live ${live}`,
      { skip },
      async (t) => {
        const apiVersion = live === 'Rollout' ? 'argoproj.io/v1alpha1' : 'apps/v1';
        const named = (role: string, replicas: number) => ({
          apiVersion,
          kind: live,
          metadata: { name: `posthorn-${role}`, namespace: 'default' },
          spec: { replicas },
        });
        const objects = [named('ingress', 8), named('delivery', 2), named('control', 9)];
        const url = await serveObjects(t, objects);
        const args = ['template', 'posthorn', 'charts/posthorn', '--dry-run=server', '--namespace'];
        args.push(
          'default',
          '--set',
          'image.tag=abc',
          '--kube-apiserver',
          url,
          '--kube-token',
          'x',
          '--kube-version',
          kubernetesVersion,
        );
        if (wanted === 'Rollout') args.push('--set', 'rollouts.enabled=true');
        const manifests = parseManifests((await helm(args)).stdout);
        // The replicas are never below the minimum, and control is not scaled.
        assert.deepEqual(replicasOf(manifests, wanted), { ingress: 8, delivery: 3, control: 2 });
      },
    );
  }
}

test('rejects more replicas than shards with the name of the value', { skip }, async () => {
  const off = { autoscaling: { enabled: false } };
  const settings = { POSTHORN_SHARDS: 4 };
  const roles = {
    router: { ...off, replicas: 4 },
    delivery: { autoscaling: { maxReplicas: 4 }, replicas: 4 },
  };
  await renderValues({ settings, roles });
  await assert.rejects(
    renderValues({ settings, roles: { ...roles, router: { ...off, replicas: 5 } } }),
    /roles\.router\.replicas: 5 is more than settings\.POSTHORN_SHARDS \(4\)/,
  );
  await assert.rejects(
    renderValues({
      settings,
      autoscaling: { keda: false },
      roles: { ...roles, delivery: { ...roles.delivery, replicas: 6 } },
    }),
    /roles\.delivery\.replicas: 6 is more than settings\.POSTHORN_SHARDS \(4\)/,
  );
});

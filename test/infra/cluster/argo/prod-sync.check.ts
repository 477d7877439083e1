/** Argo CD installs prod from empty, on nodes of the sizes and numbers of its stack. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { waitUntil } from '#testkit/wait-until.ts';
import { posthornOf } from '../../argocd/environments.ts';
import { at } from '../../manifests.ts';
import { assertFirstSync } from './first-sync.ts';
import { Installation, patience, withoutArgo } from './installation.ts';

const skip = withoutArgo();
const environment = 'prod';

let installation: Installation;

before(async () => {
  if (skip === false) installation = await Installation.start(environment);
});
after(() => installation?.stop());

test('Argo CD deploys prod from the root application to the pods', { skip }, async () => {
  await assertFirstSync(installation);
});

test('the smallest number of pods that autoscalers keep fits on the nodes', { skip }, async () => {
  const { api } = installation.plane;
  const scalers = (await posthornOf(environment)).filter(({ kind }) =>
    ['HorizontalPodAutoscaler', 'ScaledObject'].includes(kind),
  );
  assert.ok(scalers.length >= 3);
  for (const { spec } of scalers) {
    const least = Number(at(spec, 'minReplicas') ?? at(spec, 'minReplicaCount'));
    const metadata = { name: String(at(spec, 'scaleTargetRef', 'name')), namespace: 'posthorn' };
    const role = { apiVersion: 'apps/v1', kind: 'Deployment', metadata };
    await api.merge(role, { spec: { replicas: least } });
    const available = async (): Promise<boolean> =>
      at(await api.get(role), 'status', 'availableReplicas') === least;
    await waitUntil(available, { ...patience, what: `${metadata.name} has ${least} pods` });
  }
});

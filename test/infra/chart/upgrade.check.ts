/** Objects that an upgrade by helm needs before the migration runs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { at, conform, helm, only } from '../manifests.ts';
import { tools, without } from '../tools.ts';
import { renderValues } from './values.ts';

const skip = without(tools.helm) || without(tools.kubeconform);

test('the migration has the policy of the new version before it runs', { skip }, async () => {
  const egress = [
    { purpose: 'nats', namespace: 'brokers' },
    { purpose: 'mongodb', cidr: '10.77.0.0/16', port: 27017 },
  ];
  const manifests = await renderValues({ network: { egress } });
  await conform(manifests);
  const job = only(manifests, 'Job', 'posthorn-migrate');
  const policy = only(manifests, 'NetworkPolicy', 'posthorn-migrate-hook');
  const annotations = policy.metadata.annotations ?? {};
  const weight = (given: Record<string, string> | undefined): number =>
    Number(given?.['helm.sh/hook-weight'] ?? 0);
  assert.equal(annotations['helm.sh/hook'], job.metadata.annotations?.['helm.sh/hook']);
  assert.ok(weight(annotations) < weight(job.metadata.annotations), 'before the Job');
  const deletion = annotations['helm.sh/hook-delete-policy'];
  assert.equal(deletion, 'before-hook-creation,hook-succeeded', 'nothing stays behind');
  // Argo CD applies the policy of the release in an earlier wave than the Job.
  assert.equal(annotations['argocd.argoproj.io/hook'], 'Skip');
  assert.deepEqual(policy.spec, only(manifests, 'NetworkPolicy', 'posthorn-migrate').spec);
  const chosen = at(policy, 'spec', 'podSelector', 'matchLabels') as Record<string, string>;
  const labels = at(job, 'spec', 'template', 'metadata', 'labels') as Record<string, string>;
  for (const [key, value] of Object.entries(chosen)) assert.equal(labels[key], value, key);
});

test(
  'the chart has no policy for the migration when policies or the migration are disabled',
  { skip },
  async () => {
    for (const values of [{ network: { enabled: false } }, { migration: { enabled: false } }]) {
      const names = (await renderValues(values)).map(({ metadata }) => metadata.name);
      assert.ok(!names.includes('posthorn-migrate-hook'), JSON.stringify(values));
    }
  },
);

test('helm lint accepts the chart without values', { skip }, async () => {
  const { stdout } = await helm(['lint', '--strict', 'charts/posthorn']);
  assert.match(stdout, /1 chart\(s\) linted, 0 chart\(s\) failed/);
});

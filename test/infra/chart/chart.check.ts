/**
 * The chart as a whole: it renders valid objects, rejects wrong values, and scales by existing
 * metrics.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { consumers } from '#wire/subjects.ts';
import { projectText } from '../../docs/project-files.ts';
import { at, conform, helm, kubernetesVersion, type Manifest, only, render } from '../manifests.ts';
import { schemasDirectory } from '../schemas/make-schemas.ts';
import { tools, without } from '../tools.ts';

const skip = without(tools.helm);
const noConform =
  skip ||
  without(tools.kubeconform) ||
  (!existsSync(schemasDirectory()) && 'there are no schemas: the lines above say why');
const set = ['image.tag=abc'];
const everything = [
  ...set,
  'externalSecret.enabled=true',
  'nats.caSecret=nats-ca',
  'ingress.enabled=true,ingress.publishHost=in.example.com,ingress.apiHost=api.example.com',
  'ingress.tlsSecret=tls,ingress.className=nginx',
  'network.clientCidrs={10.0.0.0/16}',
  'network.egress[0].purpose=nats,network.egress[0].namespace=nats',
  'network.egress[1].purpose=mongodb,network.egress[1].cidr=10.9.0.0/24,network.egress[1].port=27017',
  'network.egress[2].purpose=webhooks,network.egress[2].cidr=10.3.0.0/24',
  'defaults.priorityClassName=high,defaults.nodeSelector.pool=work',
  'image.pullSecrets[0].name=pull',
  'secret.extra[0].key=more,secret.extra[0].setting=POSTHORN_MORE,secret.extra[0].roles={control}',
];
const variants: Record<string, string[]> = {
  'the defaults': set,
  'all options': everything,
  canary: [...everything, 'rollouts.enabled=true,rollouts.strategy=canary'],
  'blue and green': [...everything, 'rollouts.enabled=true,rollouts.strategy=blueGreen'],
  'nothing optional': [
    'image.digest=sha256:' + 'a'.repeat(64),
    'network.enabled=false,autoscaling.keda=false,migration.enabled=false',
    'monitoring.serviceMonitor=false,monitoring.rules=false,monitoring.dashboards=false',
    'nats.user=,nats.authCallout=false,secret.bootstrapKey=false,probe.enabled=false',
  ],
};

test('helm lint reports nothing', { skip }, async () => {
  const args = ['lint', '--strict', 'charts/posthorn', '--kube-version', kubernetesVersion];
  const { stdout } = await helm([...args, '--set', 'image.tag=abc']);
  assert.match(stdout, /1 chart\(s\) linted, 0 chart\(s\) failed/);
});

for (const [variant, values] of Object.entries(variants)) {
  test(`${variant}: Kubernetes accepts the rendered objects`, { skip: noConform }, async () => {
    await conform(await render('charts/posthorn', { set: values }));
  });
}

test('the schemas reject an unknown field and a wrong one', { skip: noConform }, async () => {
  const manifests = await render('charts/posthorn', { set });
  const broken = (change: (spec: Record<string, unknown>) => void): Manifest[] => {
    const copy = structuredClone(only(manifests, 'ScaledObject', 'posthorn-delivery'));
    change(copy.spec as Record<string, unknown>);
    return [copy];
  };
  await assert.rejects(conform(broken((spec) => (spec['minReplicas'] = 3))), /minReplicas/);
  await assert.rejects(
    conform(broken((spec) => (spec['minReplicaCount'] = '3'))),
    /minReplicaCount/,
  );
});

const refused: [value: string, named: RegExp][] = [
  ['imag.tag=x', /'imag' not allowed/],
  ['image.tag=latest', /\/image\/tag/],
  ['roles.delivery.replica=3', /\/roles\/delivery.*'replica' not allowed/],
  ['roles.router.replicas=many', /\/roles\/router\/replicas.*integer/],
  ['roles.delivery.shutdownDeadlineSeconds=30', /\/roles\/delivery\/shutdownDeadlineSeconds/],
  ['roles.ingress.resources.limits.gpu=1', /\/roles\/ingress\/resources\/limits.*'gpu'/],
  ['settings.POSTHORN_SHARD=4', /\/settings.*'POSTHORN_SHARD' not allowed/],
  ['settings.POSTHORN_STREAM_REPLICAS=9', /\/settings\/POSTHORN_STREAM_REPLICAS.*9/],
  ['settings.POSTHORN_MASTER_KEY=abc', /\/settings.*'POSTHORN_MASTER_KEY' not allowed/],
  ['settings.POSTHORN_OPS_PORT=1', /\/settings.*'POSTHORN_OPS_PORT' not allowed/],
  ['network.clientCidrs={everywhere}', /\/network\/clientCidrs\/0/],
  ['rollouts.strategy=bluegreen', /\/rollouts\/strategy/],
  [
    'settings.POSTHORN_SHARDS=4',
    /roles\.router\.autoscaling\.maxReplicas: 9 .*POSTHORN_SHARDS \(4\)/,
  ],
  ['settings.POSTHORN_SHARDS=10', /roles\.delivery\.autoscaling\.maxReplicas: 12 .*\(10\)/],
  ['roles.router.autoscaling.minReplicas=20', /roles\.router\.autoscaling: minReplicas \(20\)/],
  ['ingress.enabled=true', /ingress\.publishHost: is required/],
  ['image.tag=', /image\.tag: say which commit/],
];
for (const [value, named] of refused) {
  test(`rejects ${value} with its name`, { skip }, async () => {
    await assert.rejects(render('charts/posthorn', { set: [...set, value] }), named);
  });
}

test('a failed migration stops the roll-out', { skip }, async () => {
  const job = only(await render('charts/posthorn', { set }), 'Job', 'posthorn-migrate');
  assert.deepEqual(job.metadata.annotations, {
    'argocd.argoproj.io/hook': 'Sync',
    'argocd.argoproj.io/sync-wave': '-1',
    'argocd.argoproj.io/hook-delete-policy': 'BeforeHookCreation',
    'helm.sh/hook': 'pre-install,pre-upgrade',
    'helm.sh/hook-delete-policy': 'before-hook-creation',
  });
  assert.equal(at(job, 'spec', 'template', 'spec', 'restartPolicy'), 'Never');
  assert.deepEqual(at(job, 'spec', 'template', 'spec', 'containers', 0, 'args'), ['migrate']);
  // The migration gives up by itself (2 minutes for each server) before Kubernetes ends it.
  assert.ok((at(job, 'spec', 'activeDeadlineSeconds') as number) > 240);
});

test(
  'Argo CD applies secret and policies, then the migration, then the roles',
  { skip },
  async () => {
    const manifests = await render('charts/posthorn', { set: everything });
    const wave = ({ metadata }: Manifest): number =>
      Number(metadata.annotations?.['argocd.argoproj.io/sync-wave'] ?? 0);
    const job = wave(only(manifests, 'Job', 'posthorn-migrate'));
    for (const manifest of manifests) {
      // Only helm applies these objects.
      if (manifest.metadata.annotations?.['argocd.argoproj.io/hook'] === 'Skip') continue;
      if (['ExternalSecret', 'NetworkPolicy'].includes(manifest.kind)) {
        assert.ok(wave(manifest) < job, manifest.metadata.name);
      }
      if (manifest.kind === 'Deployment') assert.ok(wave(manifest) > job, manifest.metadata.name);
    }
    const secret = only(manifests, 'ExternalSecret', 'posthorn').spec;
    // The operator adds these defaults. Without them Argo CD would always report a difference.
    for (const entry of at(secret, 'data') as object[]) {
      assert.equal(at(entry, 'remoteRef', 'conversionStrategy'), 'Default');
      assert.equal(at(entry, 'remoteRef', 'decodingStrategy'), 'None');
      assert.equal(at(entry, 'remoteRef', 'metadataPolicy'), 'None');
    }
    assert.equal(at(secret, 'target', 'creationPolicy'), 'Owner');
    assert.equal(at(secret, 'target', 'deletionPolicy'), 'Retain');
    assert.equal(at(secret, 'refreshPolicy'), 'Periodic');
  },
);

test(
  'scaling queries read existing metrics and ignore deliveries that wait for a retry',
  { skip },
  async () => {
    const manifests = await render('charts/posthorn', { set: [...set, 'rollouts.enabled=true'] });
    const known = projectText('docs/metrics.md');
    let queries = 0;
    for (const manifest of manifests) {
      if (
        !['ScaledObject', 'AnalysisTemplate', 'PrometheusRule', 'ConfigMap'].includes(manifest.kind)
      ) {
        continue;
      }
      const text = JSON.stringify(manifest);
      for (const [, name = ''] of text.matchAll(/\b(posthorn_[a-z0-9_]+)/g)) {
        queries++;
        const metric = name.replace(/_(bucket|sum|count)$/, '');
        assert.ok(known.includes(`| \`${metric}\` |`), `${manifest.metadata.name}: ${name}`);
        // A dashboard may show this metric, but no scaling, objective or alert may use it.
        if (manifest.kind !== 'ConfigMap') {
          assert.doesNotMatch(metric, /retr|waiting|held|parked/);
        }
      }
    }
    assert.ok(queries > 5, 'the queries were found');
    const kinds = new Set(Object.values(consumers).filter((name) => typeof name === 'string'));
    for (const role of ['router', 'delivery']) {
      const { spec } = only(manifests, 'ScaledObject', `posthorn-${role}`);
      for (const trigger of at(spec, 'triggers') as object[]) {
        const query = at(trigger, 'metadata', 'query') as string;
        assert.match(query, /namespace="default"/, 'of this installation, no other');
        const named = /consumer=~?"([^"]+)"/.exec(query)?.[1]?.split('|') ?? [];
        assert.ok(named.length > 0, query);
        for (const name of named) {
          assert.ok(kinds.has(name as 'router'), `no consumer ${name}, or it is no measure`);
        }
        // Most repeats belong to receivers that are down. Lanes are not in the catalogue.
        assert.ok(!named.includes(consumers.deliverRepeats), query);
      }
      assert.equal(at(spec, 'scaleTargetRef', 'kind'), 'Rollout');
      assert.ok((at(spec, 'minReplicaCount') as number) >= 3, 'a replica in each zone');
    }
    const scaler = only(manifests, 'HorizontalPodAutoscaler', 'posthorn-ingress').spec;
    assert.equal(at(scaler, 'metrics', 0, 'resource', 'name'), 'cpu');
  },
);

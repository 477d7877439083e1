/** Properties of every pod of the chart, for each way to install it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { policyBounds } from '#domain/endpoint/endpoint-policy.ts';
import { loadSettings } from '#config/load.ts';
import { at, only, podTemplates, render } from '../manifests.ts';
import { tools, without } from '../tools.ts';

interface Env {
  name: string;
  value: string;
}

const skip = without(tools.helm);
const roles = ['ingress', 'router', 'delivery', 'control'];
const variants = {
  plain: ['image.tag=abc'],
  canary: ['image.tag=abc', 'rollouts.enabled=true', 'rollouts.strategy=canary'],
  'blue and green': ['image.tag=abc', 'rollouts.enabled=true', 'rollouts.strategy=blueGreen'],
};

for (const [variant, set] of Object.entries(variants)) {
  test(
    `${variant}: pods are restricted and have no access to the API of the cluster`,
    { skip },
    async () => {
      const templates = podTemplates(await render('charts/posthorn', { set }));
      assert.equal(templates.length, 6);
      for (const { name, pod } of templates) {
        assert.equal(at(pod, 'automountServiceAccountToken'), false, name);
        // Else Kubernetes would put POSTHORN_…_SERVICE_HOST into the environment, and the start
        // would be refused.
        assert.equal(at(pod, 'enableServiceLinks'), false, name);
        assert.equal(at(pod, 'securityContext', 'runAsNonRoot'), true, name);
        assert.deepEqual(at(pod, 'securityContext', 'seccompProfile'), { type: 'RuntimeDefault' });
        const containers = at(pod, 'containers') as object[];
        assert.equal(containers.length, 1);
        assert.deepEqual(at(containers[0], 'securityContext'), {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
        assert.ok(at(containers[0], 'resources', 'requests', 'cpu'), name);
        assert.ok(at(containers[0], 'resources', 'limits', 'memory'), name);
        assert.equal(at(containers[0], 'resources', 'limits', 'cpu'), undefined, name);
      }
    },
  );

  test(`${variant}: pods spread over zones, also while a zone is down`, { skip }, async () => {
    const manifests = await render('charts/posthorn', { set });
    const kind = variant === 'plain' ? 'Deployment' : 'Rollout';
    const hash = variant === 'plain' ? 'pod-template-hash' : 'rollouts-pod-template-hash';
    for (const role of roles) {
      const { spec } = only(manifests, kind, `posthorn-${role}`);
      const spreads = at(spec, 'template', 'spec', 'topologySpreadConstraints') as object[];
      const keys = spreads.map((spread) => [
        at(spread, 'topologyKey'),
        at(spread, 'whenUnsatisfiable'),
      ]);
      assert.deepEqual(keys, [
        ['topology.kubernetes.io/zone', 'DoNotSchedule'],
        ['kubernetes.io/hostname', 'ScheduleAnyway'],
      ]);
      for (const spread of spreads) {
        assert.equal(at(spread, 'nodeTaintsPolicy'), 'Honor');
        assert.deepEqual(at(spread, 'matchLabelKeys'), [hash]);
        const chosen = at(spread, 'labelSelector', 'matchLabels');
        assert.deepEqual(chosen, at(spec, 'selector', 'matchLabels'));
      }
      const budget = only(manifests, 'PodDisruptionBudget', `posthorn-${role}`);
      assert.equal(at(budget, 'spec', 'maxUnavailable'), 1);
      assert.equal(at(budget, 'spec', 'unhealthyPodEvictionPolicy'), 'AlwaysAllow');
      assert.deepEqual(at(budget, 'spec', 'selector'), at(spec, 'selector'));
    }
  });
}

test('every role has its own service account, and the migration has none', { skip }, async () => {
  const manifests = await render('charts/posthorn', { set: ['image.tag=abc'] });
  for (const { name, pod } of podTemplates(manifests)) {
    const account = at(pod, 'serviceAccountName');
    if (name === 'posthorn-migrate') {
      assert.equal(account, undefined);
      continue;
    }
    assert.equal(account, name);
    assert.equal(
      at(only(manifests, 'ServiceAccount', name), 'automountServiceAccountToken'),
      false,
    );
  }
});

test('the liveness probe asks /livez, and the readiness probe asks /readyz', { skip }, async () => {
  const manifests = await render('charts/posthorn', { set: ['image.tag=abc'] });
  for (const role of roles) {
    const { spec } = only(manifests, 'Deployment', `posthorn-${role}`);
    const container = at(spec, 'template', 'spec', 'containers', 0);
    for (const [probe, path] of [
      ['startupProbe', '/livez'],
      ['livenessProbe', '/livez'],
      ['readinessProbe', '/readyz'],
    ] as const) {
      const requested = { path, port: 'ops', scheme: 'HTTP' };
      assert.deepEqual(at(container, probe, 'httpGet'), requested, `${role} ${probe}`);
    }
    assert.deepEqual(at(container, 'args'), ['run', '--roles', role]);
    const strategy = { maxUnavailable: 0, maxSurge: 1 };
    assert.deepEqual(at(spec, 'strategy', 'rollingUpdate'), strategy);
  }
});

test('a pod has time to finish its work when it stops', { skip }, async () => {
  const manifests = await render('charts/posthorn', { set: ['image.tag=abc'] });
  for (const role of roles) {
    const { spec } = only(manifests, 'Deployment', `posthorn-${role}`);
    const pod = at(spec, 'template', 'spec');
    const container = at(pod, 'containers', 0);
    const env = at(container, 'env') as { name: string; value: string }[];
    const deadline = env.find(({ name }) => name === 'POSTHORN_SHUTDOWN_DEADLINE_MS');
    const deadlineMs = Number(deadline?.value);
    const preStopSeconds = at(container, 'lifecycle', 'preStop', 'sleep', 'seconds') as number;
    const graceSeconds = at(pod, 'terminationGracePeriodSeconds') as number;
    assert.ok(graceSeconds * 1000 > preStopSeconds * 1000 + deadlineMs, role);
    // The longest time limit that an endpoint may have for an attempt.
    if (role === 'delivery') assert.ok(deadlineMs > policyBounds.timeoutMs.maximum);
  }
});

test(
  'the probe runs as one process, and the roles that it calls know its receiver',
  { skip },
  async () => {
    const manifests = await render('charts/posthorn', { set: ['image.tag=abc'] });
    const { spec } = only(manifests, 'Deployment', 'posthorn-probe');
    assert.equal(at(spec, 'replicas'), 1);
    assert.deepEqual(at(spec, 'strategy'), { type: 'Recreate' });
    const service = only(manifests, 'Service', 'posthorn-probe');
    assert.deepEqual(at(service.spec, 'selector'), at(spec, 'selector', 'matchLabels'));
    const settingsOf = (role: string): Record<string, string> => {
      const deployment = only(manifests, 'Deployment', `posthorn-${role}`).spec;
      const env = at(deployment, 'template', 'spec', 'containers', 0, 'env');
      return Object.fromEntries((env as Env[]).map(({ name, value }) => [name, value]));
    };
    for (const role of ['probe', 'delivery', 'control']) {
      const url = settingsOf(role)['POSTHORN_PROBE_RECEIVER_URL'];
      const port = at(service.spec, 'ports', 0, 'port') as number;
      assert.equal(url, `http://${service.metadata.name}:${port}`);
    }
    for (const role of ['ingress', 'router']) {
      assert.equal(settingsOf(role)['POSTHORN_PROBE_RECEIVER_URL'], undefined, role);
    }
    const probe = settingsOf('probe');
    for (const name of ['INGRESS', 'CONTROL']) {
      const { hostname } = new URL(probe[`POSTHORN_PROBE_${name}_URL`] as string);
      assert.ok(only(manifests, 'Service', hostname));
    }
  },
);

test(
  'the chart has no objects of a disabled probe, and requires a key for an enabled one',
  { skip },
  async () => {
    const off = await render('charts/posthorn', { set: ['image.tag=abc', 'probe.enabled=false'] });
    assert.doesNotMatch(JSON.stringify(off), /posthorn-probe|PosthornProbe/);
    const set = ['image.tag=abc', 'secret.bootstrapKey=false'];
    await assert.rejects(
      render('charts/posthorn', { set }),
      /probe\.enabled: .*POSTHORN_PROBE_KEY/,
    );
    const own = 'secret.extra[0].key=probeKey,secret.extra[0].setting=POSTHORN_PROBE_KEY';
    const extra = [...set, `${own},secret.extra[0].roles={probe}`];
    const manifests = await render('charts/posthorn', { set: extra });
    assert.ok(only(manifests, 'Deployment', 'posthorn-probe'));
  },
);

test('the V8 heap stays below the memory limit of the container', { skip }, async () => {
  const manifests = await render('charts/posthorn', { set: ['image.tag=abc'] });
  for (const role of roles) {
    const { spec } = only(manifests, 'Deployment', `posthorn-${role}`);
    const container = at(spec, 'template', 'spec', 'containers', 0);
    const env = at(container, 'env') as { name: string; value: string }[];
    const options = env.find(({ name }) => name === 'NODE_OPTIONS')?.value ?? '';
    const heapMib = Number(/--max-old-space-size=(\d+)/.exec(options)?.[1]);
    const limit = /^(\d+)(Mi|Gi)$/.exec(String(at(container, 'resources', 'limits', 'memory')));
    const limitMib = Number(limit?.[1]) * (limit?.[2] === 'Gi' ? 1024 : 1);
    assert.ok(heapMib <= limitMib * 0.76, `${role}: ${heapMib} of ${limitMib}`);
  }
});

test('the program accepts the environment that the chart gives each role', { skip }, async () => {
  const set = ['image.tag=abc', 'settings.POSTHORN_EVENT_RETENTION_SECONDS=31536000'];
  const manifests = await render('charts/posthorn', { set });
  const secrets: Record<string, string[]> = {};
  for (const { name, pod } of podTemplates(manifests)) {
    const env = at(pod, 'containers', 0, 'env') as { name: string; value: string }[];
    const own = env.filter((one) => one.name.startsWith('POSTHORN_'));
    const files = own.filter((one) => one.name.endsWith('_FILE'));
    const plain = own.filter((one) => !one.name.endsWith('_FILE'));
    const settings = loadSettings(Object.fromEntries(plain.map((one) => [one.name, one.value])));
    assert.equal(settings.streams.eventRetentionSeconds, 31_536_000, name);
    const items = at(pod, 'volumes', 0, 'projected', 'sources', 0, 'secret', 'items') as {
      key: string;
      path: string;
    }[];
    const mounted = items.map(({ path }) => `/run/secrets/posthorn/${path}`);
    assert.deepEqual(files.map(({ value }) => value).toSorted(), mounted.toSorted(), name);
    secrets[name] = items.map(({ key }) => key).toSorted();
  }
  // No role has a secret that it does not need. The worker, which connects to unknown hosts, has no
  // access to the database.
  assert.deepEqual(secrets, {
    'posthorn-ingress': ['bootstrapKey', 'mongodbUrl', 'natsAuthSeed', 'natsPassword'],
    'posthorn-router': ['natsPassword'],
    'posthorn-delivery': ['masterKey', 'natsPassword'],
    'posthorn-control': ['bootstrapKey', 'masterKey', 'mongodbUrl', 'natsPassword'],
    'posthorn-migrate': ['mongodbUrl', 'natsPassword'],
    // The probe is a producer from outside, without a login to NATS.
    'posthorn-probe': ['bootstrapKey'],
  });
});

/** The keys that every role has: common ones in `defaults`, and the same keys for each role. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'yaml';
import { projectText } from '../../docs/project-files.ts';
import { at, conform, type Manifest, only, podTemplates } from '../manifests.ts';
import { tools, without } from '../tools.ts';
import { renderValues } from './values.ts';

const skip = without(tools.helm) || without(tools.kubeconform);
const PODS = ['ingress', 'router', 'delivery', 'control', 'probe', 'migrate'];
const named = (role: string): string => `posthorn-${role}`;

/** The value to test for the key `defaults.<key>`, and its location in a pod. */
const keys: { key: string; value: unknown; found: (pod: object) => unknown }[] = [
  {
    key: 'nodeSelector',
    value: { pool: 'work' },
    found: (pod) => at(pod, 'nodeSelector'),
  },
  {
    key: 'tolerations',
    value: [{ key: 'pool', operator: 'Exists' }],
    found: (pod) => at(pod, 'tolerations'),
  },
  {
    key: 'affinity',
    value: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [
            { matchExpressions: [{ key: 'arch', operator: 'In', values: ['arm64'] }] },
          ],
        },
      },
    },
    found: (pod) => at(pod, 'affinity'),
  },
  { key: 'priorityClassName', value: 'high', found: (pod) => at(pod, 'priorityClassName') },
  {
    key: 'hostAliases',
    value: [{ ip: '10.0.0.9', hostnames: ['mongo.internal'] }],
    found: (pod) => at(pod, 'hostAliases'),
  },
  { key: 'dnsPolicy', value: 'None', found: (pod) => at(pod, 'dnsPolicy') },
  {
    key: 'dnsConfig',
    value: { nameservers: ['10.0.0.10'], options: [{ name: 'ndots', value: '2' }] },
    found: (pod) => at(pod, 'dnsConfig'),
  },
  {
    key: 'envFrom',
    value: [{ configMapRef: { name: 'more' } }],
    found: (pod) => at(pod, 'containers', 0, 'envFrom'),
  },
  {
    key: 'initContainers',
    value: [{ name: 'wait', image: 'busybox:1', command: ['true'] }],
    found: (pod) => at(pod, 'initContainers'),
  },
  {
    key: 'sidecars',
    value: [{ name: 'proxy', image: 'envoy:1' }],
    found: (pod) => (at(pod, 'containers') as object[]).slice(1),
  },
  {
    key: 'securityContext',
    value: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
      runAsUser: 7,
    },
    found: (pod) => at(pod, 'containers', 0, 'securityContext'),
  },
];

function podsOf(manifests: Manifest[]): Map<string, object> {
  return new Map(podTemplates(manifests).map(({ name, pod }) => [name, pod]));
}

for (const { key, value, found } of keys) {
  test(`defaults.${key} reaches every pod, and a role may have its own`, { skip }, async () => {
    const common = await renderValues({ defaults: { [key]: value } });
    await conform(common);
    for (const role of PODS) {
      assert.deepEqual(found(podsOf(common).get(named(role)) as object), value, role);
    }
    const own = await renderValues({
      roles: { delivery: { [key]: value } },
      probe: { [key]: value },
      migration: { [key]: value },
    });
    await conform(own);
    const plain = podsOf(await renderValues({}));
    for (const role of PODS) {
      const expected = ['delivery', 'probe', 'migrate'].includes(role)
        ? value
        : found(plain.get(named(role)) as object);
      assert.deepEqual(found(podsOf(own).get(named(role)) as object), expected, role);
    }
  });
}

test(
  'maps of a role are merged with the common ones, and lists replace them',
  { skip },
  async () => {
    const manifests = await renderValues({
      defaults: {
        nodeSelector: { a: '1', b: '1' },
        tolerations: [{ key: 'a', operator: 'Exists' }],
      },
      roles: {
        router: { nodeSelector: { b: '2' }, tolerations: [{ key: 'b', operator: 'Exists' }] },
      },
    });
    const router = podsOf(manifests).get('posthorn-router');
    assert.deepEqual(at(router, 'nodeSelector'), { a: '1', b: '2' });
    assert.deepEqual(at(router, 'tolerations'), [{ key: 'b', operator: 'Exists' }]);
    const control = podsOf(manifests).get('posthorn-control');
    assert.deepEqual(at(control, 'nodeSelector'), { a: '1', b: '1' });
  },
);

test('labels and annotations reach the workload and its pods', { skip }, async () => {
  const manifests = await renderValues({
    commonLabels: { team: 'hooks' },
    defaults: { podLabels: { mesh: 'on' }, annotations: { 'a.example/b': 'c' } },
    roles: { ingress: { labels: { tier: 'front' }, podAnnotations: { 'x.example/y': 'z' } } },
  });
  await conform(manifests);
  for (const { kind, metadata } of manifests) {
    assert.equal(metadata.labels?.['team'], 'hooks', `${kind} ${metadata.name}`);
  }
  const ingress = only(manifests, 'Deployment', 'posthorn-ingress');
  assert.equal(ingress.metadata.labels?.['tier'], 'front');
  assert.equal(ingress.metadata.annotations?.['a.example/b'], 'c');
  const template = at(ingress.spec, 'template', 'metadata');
  assert.equal(at(template, 'labels', 'mesh'), 'on');
  assert.equal(at(template, 'labels', 'team'), 'hooks');
  assert.deepEqual(at(template, 'annotations'), { 'x.example/y': 'z' });
  // Selectors are immutable.
  for (const { kind, spec } of manifests) {
    if (kind !== 'Deployment') continue;
    const selector = at(spec, 'selector', 'matchLabels') as object;
    assert.deepEqual(Object.keys(selector).toSorted(), [
      'app.kubernetes.io/component',
      'app.kubernetes.io/instance',
      'app.kubernetes.io/name',
    ]);
  }
});

test('a role has its own environment, volumes and mounts', { skip }, async () => {
  const valueFrom = { fieldRef: { fieldPath: 'spec.nodeName' } };
  const manifests = await renderValues({
    settings: { POSTHORN_LOG_LEVEL: 'warn' },
    defaults: { env: { TZ: 'UTC' }, extraVolumes: [{ name: 'tmp', emptyDir: {} }] },
    roles: {
      router: {
        env: { POSTHORN_LOG_LEVEL: 'debug', NUMBER: 2_000_000 },
        extraEnv: [{ name: 'NODE_NAME', valueFrom }],
        extraVolumeMounts: [{ name: 'tmp', mountPath: '/tmp' }],
      },
    },
  });
  await conform(manifests);
  const container = (role: string): unknown =>
    at(podsOf(manifests).get(named(role)), 'containers', 0);
  const env = (role: string): Record<string, object> =>
    Object.fromEntries(
      (at(container(role), 'env') as { name: string }[]).map((one) => [one.name, one]),
    );
  assert.equal(at(env('router')['POSTHORN_LOG_LEVEL'], 'value'), 'debug');
  assert.equal(at(env('router')['NUMBER'], 'value'), '2000000');
  assert.deepEqual(at(env('router')['NODE_NAME'], 'valueFrom'), valueFrom);
  assert.equal(at(env('control')['POSTHORN_LOG_LEVEL'], 'value'), 'warn');
  for (const role of PODS) {
    assert.equal(at(env(role)['TZ'], 'value'), 'UTC', role);
    const volumes = at(podsOf(manifests).get(named(role)), 'volumes') as { name: string }[];
    assert.ok(
      volumes.some(({ name }) => name === 'tmp'),
      role,
    );
    const names = (at(container(role), 'env') as { name: string }[]).map(({ name }) => name);
    assert.equal(new Set(names).size, names.length, `${role}: a name twice`);
  }
  const mounts = at(container('router'), 'volumeMounts') as { mountPath: string }[];
  assert.ok(mounts.some(({ mountPath }) => mountPath === '/tmp'));
});

test('OpenShift chooses the ids when they are null', { skip }, async () => {
  const podSecurityContext = { runAsUser: null, runAsGroup: null, fsGroup: null };
  const manifests = await renderValues({ defaults: { podSecurityContext } });
  await conform(manifests);
  for (const [name, pod] of podsOf(manifests)) {
    assert.deepEqual(
      at(pod, 'securityContext'),
      { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      name,
    );
  }
});

test('a cloud identity belongs to one role only', { skip }, async () => {
  const annotations = { 'eks.amazonaws.com/role-arn': 'arn:aws:iam::1:role/control' };
  const manifests = await renderValues({
    roles: {
      control: { serviceAccount: { annotations } },
      router: { serviceAccount: { name: 'own' } },
    },
    migration: { serviceAccount: { name: 'migrator' } },
  });
  await conform(manifests);
  const accounts = manifests.filter(({ kind }) => kind === 'ServiceAccount');
  for (const { metadata } of accounts) {
    const expected = metadata.name === 'posthorn-control' ? annotations : undefined;
    assert.deepEqual(metadata.annotations, expected, metadata.name);
  }
  assert.ok(!accounts.some(({ metadata }) => metadata.name === 'posthorn-router'));
  assert.equal(at(podsOf(manifests).get('posthorn-router'), 'serviceAccountName'), 'own');
  assert.equal(at(podsOf(manifests).get('posthorn-migrate'), 'serviceAccountName'), 'migrator');
  // The common block of the shipped values sets no identity.
  const values: unknown = parse(projectText('charts/posthorn/values.yaml'));
  assert.deepEqual(at(values, 'defaults', 'serviceAccount', 'annotations'), {});
});

test('a disabled role leaves no object behind', { skip }, async () => {
  for (const role of ['ingress', 'router', 'delivery', 'control']) {
    const manifests = await renderValues({
      roles: { [role]: { enabled: false } },
      probe: { enabled: false },
      ingress: { enabled: true, publishHost: 'in.example.com', apiHost: 'api.example.com' },
    });
    await conform(manifests);
    assert.deepEqual(
      manifests.filter(({ metadata }) => metadata.name === named(role)).map(({ kind }) => kind),
      [],
    );
    const served = manifests.filter(({ kind }) => kind === 'Ingress');
    assert.doesNotMatch(JSON.stringify(served), new RegExp(`"${named(role)}"`));
  }
  await assert.rejects(
    renderValues({ roles: { delivery: { enabled: false } } }),
    /probe\.enabled: .*delivery/,
  );
});

test(
  'control is scaled by its CPU, and each role has its own scaling behaviour',
  { skip },
  async () => {
    const scaleUp = { policies: [{ type: 'Pods', value: 4, periodSeconds: 15 }] };
    const manifests = await renderValues({
      defaults: { autoscaling: { behavior: { scaleDown: { stabilizationWindowSeconds: 60 } } } },
      roles: {
        control: { autoscaling: { enabled: true, maxReplicas: 5, memoryUtilization: 80 } },
        delivery: { autoscaling: { behavior: { scaleUp } } },
      },
    });
    await conform(manifests);
    const control = only(manifests, 'HorizontalPodAutoscaler', 'posthorn-control').spec;
    assert.equal(at(control, 'maxReplicas'), 5);
    const metrics = at(control, 'metrics') as object[];
    assert.deepEqual(
      metrics.map((one) => [
        at(one, 'resource', 'name'),
        at(one, 'resource', 'target', 'averageUtilization'),
      ]),
      [
        ['cpu', 65],
        ['memory', 80],
      ],
    );
    assert.deepEqual(at(control, 'behavior'), { scaleDown: { stabilizationWindowSeconds: 60 } });
    const delivery = only(manifests, 'ScaledObject', 'posthorn-delivery').spec;
    assert.deepEqual(at(delivery, 'advanced', 'horizontalPodAutoscalerConfig', 'behavior'), {
      scaleDown: { stabilizationWindowSeconds: 60 },
      scaleUp,
    });
  },
);

test('a role without KEDA is scaled by its CPU if a share is set', { skip }, async () => {
  const manifests = await renderValues({
    autoscaling: { keda: false },
    roles: { delivery: { autoscaling: { cpuUtilization: 70 } } },
  });
  const spec = only(manifests, 'HorizontalPodAutoscaler', 'posthorn-delivery').spec;
  assert.equal(at(spec, 'metrics', 0, 'resource', 'target', 'averageUtilization'), 70);
  assert.ok(!manifests.some(({ kind }) => kind === 'ScaledObject'));
});

test('probes, roll-out and disruption budget are set by values', { skip }, async () => {
  const manifests = await renderValues({
    defaults: {
      probes: { startup: { failureThreshold: 120 } },
      podDisruptionBudget: { minAvailable: '50%' },
    },
    roles: {
      control: {
        probes: { readiness: { periodSeconds: 9 } },
        strategy: { maxSurge: '25%' },
        podDisruptionBudget: { enabled: false },
      },
    },
  });
  await conform(manifests);
  const control = only(manifests, 'Deployment', 'posthorn-control').spec;
  const container = at(control, 'template', 'spec', 'containers', 0);
  assert.equal(at(container, 'startupProbe', 'failureThreshold'), 120);
  assert.equal(at(container, 'readinessProbe', 'periodSeconds'), 9);
  assert.equal(at(container, 'readinessProbe', 'failureThreshold'), 2);
  assert.deepEqual(at(control, 'strategy', 'rollingUpdate'), {
    maxUnavailable: 0,
    maxSurge: '25%',
  });
  const budgets = manifests.filter(({ kind }) => kind === 'PodDisruptionBudget');
  assert.equal(budgets.length, 3);
  for (const { spec } of budgets) {
    assert.equal(at(spec, 'minAvailable'), '50%');
    assert.equal(at(spec, 'maxUnavailable'), undefined);
  }
});

test('values set the names of objects and add further objects', { skip }, async () => {
  const extraObjects = [
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: '{{ .Release.Name }}-more' },
      data: {},
    },
    'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: text }\n',
  ];
  const manifests = await renderValues(
    { nameOverride: 'hooks', fullnameOverride: 'acme-hooks', extraObjects },
    'release',
  );
  await conform(manifests);
  only(manifests, 'ConfigMap', 'release-more');
  only(manifests, 'ConfigMap', 'text');
  const { spec } = only(manifests, 'Deployment', 'acme-hooks-ingress');
  assert.equal(at(spec, 'selector', 'matchLabels', 'app.kubernetes.io/name'), 'hooks');
  const named = ['ConfigMap', 'PrometheusRule'];
  const text = JSON.stringify(manifests.filter(({ kind }) => !named.includes(kind)));
  assert.doesNotMatch(text, /"(release-posthorn|posthorn)-(ingress|probe)/);
});

const refused: [values: object, named: RegExp][] = [
  [{ nodeSelector: {} }, /'nodeSelector' not allowed/],
  [{ roles: { router: { nodeselector: {} } } }, /\/roles\/router.*'nodeselector' not allowed/],
  [{ defaults: { replicas: 2 } }, /\/defaults.*'replicas' not allowed/],
  [{ probe: { autoscaling: {} } }, /\/probe.*'autoscaling' not allowed/],
  [{ roles: { router: { service: {} } } }, /\/roles\/router.*'service' not allowed/],
  [{ defaults: { podLabels: { 'app.kubernetes.io/name': 'x' } } }, /\/defaults\/podLabels/],
  [{ defaults: { env: { POSTHORN_LOG_LEVLE: 'debug' } } }, /\/defaults\/env/],
  [{ defaults: { sidecars: [{ name: 'x' }] } }, /\/defaults\/sidecars\/0.*'image'/],
  [{ defaults: { probes: { startup: { exec: {} } } } }, /\/defaults\/probes\/startup.*'exec'/],
  [
    { roles: { control: { autoscaling: { enabled: true, minReplicas: 9 } } } },
    /roles\.control\.autoscaling: minReplicas \(9\)/,
  ],
];
for (const [values, error] of refused) {
  test(`rejects ${JSON.stringify(values)} with its place`, { skip }, async () => {
    await assert.rejects(renderValues(values), error);
  });
}

/** What judges a blue-green roll-out: a check before the promotion, and metrics after it. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { tempDir } from '#testkit/temp-dir.ts';
import { at, conform, type Manifest, only } from '../../manifests.ts';
import { toolPath, tools, without } from '../../tools.ts';
import { renderValues } from '../values.ts';

const skip = without(tools.helm) || without(tools.kubeconform);
const rollouts = (strategy: string) => renderValues({ rollouts: { enabled: true, strategy } });

/** The Job of the check before the promotion of a role. */
const jobOf = (manifests: Manifest[], role: string): unknown => {
  const { spec } = only(manifests, 'AnalysisTemplate', `posthorn-${role}-preview`);
  return at(spec, 'metrics', 0, 'provider', 'job', 'spec');
};

const envOf = (job: unknown): Record<string, string> => {
  const env = at(job, 'template', 'spec', 'containers', 0, 'env') as Env[];
  return Object.fromEntries(env.map(({ name, value }) => [name, value]));
};

interface Env {
  name: string;
  value: string;
}

const templatesOf = (manifests: Manifest[], role: string, when: string): string[] => {
  const { spec } = only(manifests, 'Rollout', `posthorn-${role}`);
  const templates = at(spec, 'strategy', 'blueGreen', when, 'templates') as {
    templateName: string;
  }[];
  return templates.map(({ templateName }) => templateName);
};

for (const [role, other] of [
  ['ingress', 'control'],
  ['control', 'ingress'],
] as const) {
  test(
    `${role}: the check before the promotion calls its previews, the analysis after it Prometheus`,
    { skip },
    async () => {
      const manifests = await rollouts('blueGreen');
      assert.deepEqual(templatesOf(manifests, role, 'prePromotionAnalysis'), [
        `posthorn-${role}-preview`,
      ]);
      assert.deepEqual(templatesOf(manifests, role, 'postPromotionAnalysis'), [
        'posthorn-failures',
      ]);
      const { spec } = only(manifests, 'Rollout', `posthorn-${role}`);
      const preview = at(spec, 'strategy', 'blueGreen', 'previewService') as string;
      const env = envOf(jobOf(manifests, role));
      assert.equal(env[`${role.toUpperCase()}_URL`], `http://${preview}`);
      assert.equal(env[`${other.toUpperCase()}_URL`], `http://posthorn-${other}`);
      for (const side of [preview, `posthorn-${other}`]) only(manifests, 'Service', side);
      assert.equal(
        env['TENANT'],
        `preview-${role}`,
        'checks of two roles have tenants of their own',
      );
      assert.ok(Number(env['EVENTS']) > 1);
    },
  );
}

test(
  'Kubernetes accepts the Job of the check, which has its script and its key',
  { skip },
  async () => {
    const manifests = await rollouts('blueGreen');
    const job = jobOf(manifests, 'ingress');
    await conform([
      ...manifests,
      { apiVersion: 'batch/v1', kind: 'Job', metadata: { name: 'a' }, spec: job } as Manifest,
    ]);
    assert.equal(at(job, 'backoffLimit'), 0);
    const volumes = at(job, 'template', 'spec', 'volumes') as {
      name: string;
      configMap?: { name: string };
      projected?: { sources: unknown[] };
    }[];
    const script = volumes.find(({ name }) => name === 'script')?.configMap?.name ?? '';
    const { data, metadata } = only(manifests, 'ConfigMap', script);
    assert.match(data?.['check.mjs'] ?? '', /process\.env/);
    assert.equal(metadata.annotations, undefined, 'not made for `helm test` only');
    assert.match(JSON.stringify(volumes), /"path":"bootstrapKey"/);
    assert.doesNotMatch(JSON.stringify(volumes), /mongodbUrl|masterKey|natsPassword/);
  },
);

test('the pod of the check reaches ingress and control, and nothing else', { skip }, async () => {
  const manifests = await rollouts('blueGreen');
  const labels = at(jobOf(manifests, 'control'), 'template', 'metadata', 'labels') as object;
  const own = only(manifests, 'NetworkPolicy', 'posthorn-preview-check').spec;
  const selected = at(own, 'podSelector', 'matchLabels') as Record<string, string>;
  assert.deepEqual({ ...labels, ...selected }, labels);
  assert.equal((at(own, 'egress') as unknown[]).length, 2, 'names, and the API');
  const taken = only(manifests, 'NetworkPolicy', 'posthorn-preview-check-publishes').spec;
  assert.deepEqual(at(taken, 'ingress', 0, 'from', 0, 'podSelector', 'matchLabels'), selected);
});

test('Prometheus scrapes previews under a label, and no pod twice', { skip }, async () => {
  const manifests = await rollouts('blueGreen');
  const scraped = (monitor: string): string[] => {
    const { spec } = only(manifests, 'ServiceMonitor', monitor);
    const wanted = at(spec, 'selector', 'matchLabels') as Record<string, string>;
    return manifests
      .filter(({ kind, metadata: { labels = {} } }) => {
        const has = Object.entries(wanted).every(([key, value]) => labels[key] === value);
        return kind === 'Service' && has;
      })
      .map(({ metadata }) => metadata.name)
      .toSorted();
  };
  const previews = ['posthorn-control-preview', 'posthorn-ingress-preview'];
  assert.deepEqual(scraped('posthorn-preview'), previews);
  assert.equal(scraped('posthorn').length, 5);
  assert.ok(scraped('posthorn').every((name) => !previews.includes(name)));
  // The Service of previews has the active pods when no roll-out is under way.
  const { spec } = only(manifests, 'ServiceMonitor', 'posthorn-preview');
  const [keep, label] = at(spec, 'endpoints', 0, 'relabelings') as Record<string, unknown>[];
  assert.deepEqual(keep?.['sourceLabels'], ['__meta_kubernetes_pod_label_posthorn_track']);
  const strategy = at(only(manifests, 'Rollout', 'posthorn-ingress').spec, 'strategy', 'blueGreen');
  const track = at(strategy, 'previewMetadata', 'labels', 'posthorn/track');
  assert.deepEqual([keep['regex'], keep['action'], label?.['replacement']], [track, 'keep', track]);
  assert.notEqual(at(strategy, 'activeMetadata', 'labels', 'posthorn/track'), track);
});

test('router and delivery, and a canary of all roles, have no previews', { skip }, async () => {
  const blueGreen = await rollouts('blueGreen');
  for (const role of ['router', 'delivery']) {
    const { spec } = only(blueGreen, 'Rollout', `posthorn-${role}`);
    const steps = at(spec, 'strategy', 'canary', 'steps') as object[];
    assert.ok(
      steps.some((step) => 'analysis' in step),
      role,
    );
  }
  for (const manifests of [await rollouts('canary'), await renderValues({})]) {
    assert.ok(!manifests.some(({ metadata }) => metadata.name.includes('preview')));
  }
  const plain = await renderValues({});
  assert.ok(!plain.some(({ kind }) => ['Rollout', 'AnalysisTemplate'].includes(kind)));
});

test(
  'previews are not checked where the release has one of the two roles alone',
  { skip },
  async () => {
    const manifests = await renderValues({
      rollouts: { enabled: true, strategy: 'blueGreen' },
      roles: { control: { enabled: false } },
      probe: { enabled: false },
    });
    const { spec } = only(manifests, 'Rollout', 'posthorn-ingress');
    assert.equal(at(spec, 'strategy', 'blueGreen', 'prePromotionAnalysis'), undefined);
    assert.ok(at(spec, 'strategy', 'blueGreen', 'postPromotionAnalysis'));
    assert.ok(!manifests.some(({ metadata }) => metadata.name.includes('preview-check')));
  },
);

/** The series of one installation, by name and labels, with their growth in a minute. */
interface Traffic {
  [series: string]: number;
}
const OURS = 'namespace="default",job="posthorn"';
const failing = (own: string): Traffic => ({
  [`posthorn_ingress_events_total{${own},result="not_stored"}`]: 5,
  [`posthorn_ingress_events_total{${own},result="accepted"}`]: 95,
  [`posthorn_http_request_duration_seconds_count{${own},route="/v1/tenants",status_class="5xx"}`]: 5,
  [`posthorn_http_request_duration_seconds_count{${own},route="/v1/tenants",status_class="2xx"}`]: 95,
  [`posthorn_delivery_attempts_total{${own},error_type="unexpected"}`]: 5,
  [`posthorn_delivery_attempts_total{${own},error_type="none"}`]: 90,
  [`posthorn_delivery_local_faults_total{${own},fault="ports"}`]: 5,
});
const cases: { what: string; traffic: Traffic; isBad: boolean }[] = [
  { what: 'one of 20 fails', traffic: failing(OURS), isBad: true },
  {
    what: 'another installation fails',
    traffic: failing('namespace="other",job="posthorn"'),
    isBad: false,
  },
  {
    what: 'another release of the namespace fails',
    traffic: failing('namespace="default",job="other"'),
    isBad: false,
  },
  {
    what: 'there is too little traffic to judge',
    traffic: Object.fromEntries(
      Object.entries(failing(OURS)).map(([series, growth]) => [series, growth / 20]),
    ),
    isBad: false,
  },
  { what: 'there is no traffic', traffic: {}, isBad: false },
];

test(
  'the analysis fails for failures of this release, with enough traffic to judge',
  { skip: skip || without(tools.promtool) },
  async (t) => {
    const manifests = await rollouts('blueGreen');
    const { spec } = only(manifests, 'AnalysisTemplate', 'posthorn-failures');
    const metrics = at(spec, 'metrics') as { successCondition: string }[];
    assert.equal(metrics.length, 4);
    const most = Number(metrics[0]?.successCondition.replace('result[0] <= ', ''));
    const dir = await tempDir(t);
    for (const { what, traffic, isBad } of cases) {
      const tests = metrics.map((metric) => ({
        interval: '1m',
        input_series: Object.entries(traffic).map(([series, growth]) => ({
          series,
          values: `0+${growth}x30`,
        })),
        promql_expr_test: [
          {
            // `bool` compares without dropping the value.
            expr: `(${String(at(metric, 'provider', 'prometheus', 'query'))}) > bool ${most}`,
            eval_time: '10m',
            exp_samples: [{ labels: '{}', value: isBad ? 1 : 0 }],
          },
        ],
      }));
      const file = join(dir, 'test.json');
      await writeFile(file, JSON.stringify({ evaluation_interval: '1m', tests }));
      await promisify(execFile)(toolPath(tools.promtool), ['test', 'rules', file]).catch(
        (error: Error) => assert.fail(`${what}: ${error.message}`),
      );
    }
  },
);

test('the check verifies the certificate of the pods where they serve TLS', { skip }, async () => {
  const manifests = await renderValues({
    rollouts: { enabled: true, strategy: 'blueGreen' },
    tls: { secret: 'posthorn-tls' },
  });
  const env = envOf(jobOf(manifests, 'ingress'));
  assert.equal(env['INGRESS_URL'], 'https://posthorn-ingress-preview');
  assert.match(env['NODE_EXTRA_CA_CERTS'] ?? '', /\/ca\.crt$/);
  const { spec } = only(manifests, 'ServiceMonitor', 'posthorn-preview');
  assert.equal(at(spec, 'endpoints', 0, 'scheme'), 'https');
  const policy = only(manifests, 'NetworkPolicy', 'posthorn-preview-check').spec;
  assert.equal(at(policy, 'egress', 1, 'ports', 0, 'port'), 'https');
});

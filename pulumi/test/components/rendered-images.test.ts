/** Whether the comparison of rendered charts with the list of images finds each kind of fault. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chartImages } from '../../src/chart-images.ts';
import { installedCharts } from '../kit/installed-charts.ts';
import { imageFaults, imagesOf } from '../kit/rendered-images.ts';

const CACHE = '123456789012.dkr.ecr.eu-central-1.amazonaws.com/cache-posthorn-prod';

test('the images of pods, kinds of operators, hooks and arguments are found, without tags', () => {
  const manifests = `
apiVersion: apps/v1
kind: Deployment
spec:
  template:
    spec:
      initContainers: [{ name: first, image: 'busybox:1.37' }]
      containers:
        - name: operator
          image: registry.example.com:5000/team/operator:v1@sha256:${'0'.repeat(64)}
          args:
            - --acme-solver-image=quay.io/jetstack/cert-manager-acmesolver:v1.18.2
            - --thanos-default-base-image=quay.io/thanos/thanos:v0.39.2
            - --kubelet-service=kube-system/kubelet
            - --issuer=https://issuer.example.com/one:8443
---
apiVersion: monitoring.coreos.com/v1
kind: Prometheus
spec: { image: 'quay.io/prometheus/prometheus:v3.5.0' }
---
apiVersion: batch/v1
kind: Job
metadata: { annotations: { helm.sh/hook: 'pre-install,pre-upgrade' } }
spec: { template: { spec: { containers: [{ image: natsio/certgen }] } } }
---
apiVersion: v1
kind: Pod
metadata: { annotations: { helm.sh/hook: test-success } }
spec: { containers: [{ image: 'docker.io/bats/bats:v1.4.1' }] }
---
# A definition of a kind describes the field.
kind: CustomResourceDefinition
spec: { properties: { image: { type: string } } }
`;
  assert.deepEqual(imagesOf(manifests), [
    'docker.io/library/busybox',
    'docker.io/natsio/certgen',
    'quay.io/jetstack/cert-manager-acmesolver',
    'quay.io/prometheus/prometheus',
    'registry.example.com:5000/team/operator',
  ]);
});

test('an image that is new, not cached or not named any more is a fault', () => {
  const listed = [
    { image: 'quay.io/team/operator', key: 'image.repository', value: 'repository' as const },
    { image: 'docker.io/team/agent' },
  ];
  const cached = `${CACHE}/quay/team/operator`;
  const faults = (...images: string[]) => imageFaults('one', listed, images, CACHE);
  assert.deepEqual(faults(cached, 'docker.io/team/agent'), []);
  assert.deepEqual(faults('quay.io/team/operator', 'docker.io/team/agent'), [
    'one: quay.io/team/operator is not pulled through the cache; ' +
      'the chart does not read image.repository',
  ]);
  assert.deepEqual(faults(cached, 'docker.io/team/agent', 'ghcr.io/team/new'), [
    'one: ghcr.io/team/new is not in chart-images.ts',
  ]);
  assert.deepEqual(faults(cached), [
    'one: docker.io/team/agent is in chart-images.ts, and the chart does not name it',
  ]);
});

test('every listed chart is rendered, with the values that the stack installs', async () => {
  const charts = await installedCharts('prod');
  assert.deepEqual(
    charts.map(({ chart }) => chart).toSorted(),
    Object.keys(chartImages).toSorted(),
  );
  for (const { chart, repoURL, version, values } of charts) {
    assert.match(repoURL, /^https:\/\//, chart);
    assert.equal(version, chartImages[chart]?.version, chart);
    const cached = JSON.stringify(values).includes(CACHE);
    const keys = (chartImages[chart]?.images ?? []).filter(({ key }) => key !== undefined);
    assert.equal(cached, keys.length > 0, chart);
  }
});

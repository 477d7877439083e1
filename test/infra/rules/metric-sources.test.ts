/** Each metric that a rule, a dashboard, a trigger or an analysis reads is exported and scraped. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Registry, collectDefaultMetrics } from 'prom-client';
import { parse } from 'yaml';
import { dashboards } from '../../docs/dashboards/dashboards.ts';
import { ofOneInstallation } from '../../docs/dashboards/panel.ts';
import { projectFiles, projectText } from '../../docs/project-files.ts';
import { at } from '../manifests.ts';
import { schemasDirectory } from '../schemas/make-schemas.ts';
import { metricSources } from './metric-sources.ts';

const apps: unknown = parse(projectText('argocd/apps/values.yaml'));
const PREFIXES = 'posthorn|process|nodejs|kube|nats|certmanager|argocd';
const METRIC = new RegExp(`(?<![\\w:"])(?:${PREFIXES})_\\w+(?![\\w:])`, 'g');

/** Queries of rules, dashboards, and of the templates and triggers of the chart. */
const queries = [
  ...projectFiles('charts/posthorn/files/rules/*.yaml').flatMap(({ text }) => {
    const { groups } = parse(text) as { groups: { rules: { expr: string }[] }[] };
    return groups.flatMap(({ rules }) => rules.map(({ expr }) => expr));
  }),
  ...dashboards
    .flatMap(({ panels }) => panels)
    .flatMap((panel) => panel.queries.map(([expr]) => ofOneInstallation(expr))),
  ...projectFiles('charts/posthorn/templates/analysis*.yaml').map(({ text }) => text),
  projectText('charts/posthorn/values.yaml'),
];
const used = new Set(queries.flatMap((expr) => expr.match(METRIC) ?? []));
const isOurs = (name: string): boolean => /^(posthorn|process|nodejs)_/.test(name);

test('each of our metrics is in the catalogue, or one that every Node process has', () => {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const known = new Set(registry.getMetricsAsArray().map(({ name }) => name));
  const rows = projectText('docs/metrics.md').matchAll(/^\| `(posthorn_\w+)` \|/gm);
  for (const [, name = ''] of rows) known.add(name);
  const ours = [...used].filter(isOurs);
  assert.ok(ours.length > 50, `${ours.length} metrics`);
  for (const name of ours) {
    assert.ok(known.has(name) || known.has(name.replace(/_(bucket|count|sum)$/, '')), name);
  }
});

test('the list of metrics of other programs has each one that is read, and no other', () => {
  const listed = metricSources.flatMap(({ metrics }) => metrics);
  assert.deepEqual(listed.toSorted(), [...used].filter((name) => !isOurs(name)).toSorted());
});

test('the metrics of other programs were looked up at the versions that are installed', () => {
  const versions: Record<string, { version: string }> = {
    ...(at(apps, 'platform') as Record<string, { version: string }>),
    nats: at(apps, 'nats') as { version: string },
    argocd: at(apps, 'argocd') as { version: string },
  };
  for (const { application, version } of metricSources) {
    assert.equal(versions[application]?.version, version, `${application}: look at its metrics`);
  }
});

test('Prometheus scrapes each of these programs', () => {
  const stack = at(apps, 'platform', 'kube-prometheus-stack', 'values');
  const monitors = at(stack, 'prometheus', 'additionalPodMonitors') as {
    namespaceSelector: { matchNames: string[] };
    podMetricsEndpoints: { honorLabels: boolean }[];
  }[];
  const namespaces = monitors.flatMap(({ namespaceSelector }) => namespaceSelector.matchNames);
  for (const { podMetricsEndpoints } of monitors) {
    // Otherwise `namespace` would be that of the scraped pod.
    assert.ok(podMetricsEndpoints.every(({ honorLabels }) => honorLabels));
  }
  const exporter = at(parse(projectText('charts/nats/values.yaml')), 'promExporter');
  const isScraped: Record<string, boolean> = {
    // The chart scrapes kube-state-metrics unless it is disabled.
    'kube-prometheus-stack': at(stack, 'kubeStateMetrics', 'enabled') !== false,
    nats: at(exporter, 'enabled') === true && at(exporter, 'podMonitor', 'enabled') === true,
    'cert-manager': namespaces.includes('cert-manager'),
    argocd: namespaces.includes('argocd'),
  };
  for (const { application } of metricSources) assert.ok(isScraped[application], application);
  // The brokers accept the scrape.
  assert.match(projectText('argocd/foundation/templates/nats-network.yaml'), /port: 7777/);
});

const schema = join(schemasDirectory(), 'perconaservermongodbbackup_psmdb.percona.com_v1.json');

test(
  'the metric of backups reads fields that backups of the operator have',
  { skip: !existsSync(schema) && 'there are no schemas' },
  () => {
    const kind: unknown = JSON.parse(readFileSync(schema, 'utf8'));
    const template = projectText('argocd/apps/templates/_backup-metrics.tpl');
    const paths = [...template.matchAll(/\[((?:status|spec), \w+)\]/g)];
    assert.equal(paths.length, 3);
    for (const [, path = ''] of paths) {
      const [first = '', second = ''] = path.split(', ');
      assert.ok(at(kind, 'properties', first, 'properties', second), path);
    }
  },
);

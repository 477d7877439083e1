/** Renders each environment as Argo CD does, and validates the manifests against the schemas. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { projectRoot } from '../../docs/project-files.ts';
import { at, conform, type Manifest, only, render } from '../manifests.ts';
import { SECRET_KEYS } from '../../../pulumi/preflight/findings.ts';
import { schemasDirectory } from '../schemas/make-schemas.ts';
import { tools, without } from '../tools.ts';
import {
  applicationsOf,
  environments,
  foundationFrom,
  foundationOf,
  posthornOf,
  rootOf,
} from './environments.ts';

const skip =
  without(tools.helm) ||
  without(tools.kubeconform) ||
  (!existsSync(schemasDirectory()) && 'there are no schemas: the lines above say why');

const waveOf = ({ metadata }: Manifest): number =>
  Number(metadata.annotations?.['argocd.argoproj.io/sync-wave']);

for (const environment of environments) {
  test(`${environment}: root, projects and applications are valid`, { skip }, async () => {
    const manifests = await applicationsOf(environment);
    await conform([rootOf(environment), ...manifests]);
    const projects = new Map(
      manifests.filter(({ kind }) => kind === 'AppProject').map((one) => [one.metadata.name, one]),
    );
    const applications = manifests.filter(({ kind }) => kind === 'Application');
    const byWave = applications.toSorted((a, b) => waveOf(a) - waveOf(b));
    assert.deepEqual(
      byWave.slice(-5).map(({ metadata }) => metadata.name),
      ['foundation', 'kube-prometheus-stack', 'nats', 'posthorn', 'argocd'],
    );
    for (const application of applications) {
      const { name } = application.metadata;
      const project = projects.get(at(application, 'spec', 'project') as string);
      assert.ok(project, `${name} has a project`);
      assert.ok(waveOf(project) < waveOf(application), name);
      const allowed = at(project, 'spec', 'destinations') as object[];
      const destination = at(application, 'spec', 'destination');
      assert.ok(
        allowed.some((one) => JSON.stringify(one) === JSON.stringify(destination)),
        name,
      );
      const single = at(application, 'spec', 'source');
      const sources = (at(application, 'spec', 'sources') ?? [single]) as object[];
      for (const source of sources) {
        const repositories = at(project, 'spec', 'sourceRepos') as unknown[];
        assert.ok(repositories.includes(at(source, 'repoURL')), name);
        if (at(source, 'chart') !== undefined) {
          assert.match(String(at(source, 'targetRevision')), /^v?\d+\.\d+\.\d+$/, name);
        }
        const path = at(source, 'path') as string | undefined;
        if (path !== undefined) assert.ok(existsSync(join(projectRoot, path)), path);
        const files = (at(source, 'helm', 'valueFiles') ?? []) as string[];
        for (const file of files) {
          const inRepository = file.replace(/^(\$values)?\//, '');
          assert.ok(existsSync(join(projectRoot, inRepository)), `${name}: ${file}`);
        }
      }
      const options = at(application, 'spec', 'syncPolicy', 'syncOptions') as string[];
      assert.ok(options.includes('ServerSideApply=true'), name);
      assert.ok(options.includes('RespectIgnoreDifferences=true'), name);
      assert.equal(at(application, 'spec', 'syncPolicy', 'automated', 'selfHeal'), true, name);
    }
    const nats = only(manifests, 'Application', 'nats');
    assert.equal(at(nats, 'spec', 'syncPolicy', 'automated', 'prune'), false, 'data is not pruned');
    const ours = only(manifests, 'Application', 'posthorn').spec;
    // Otherwise a change of replicas in Git would not reach a role without an autoscaler.
    assert.equal(at(ours, 'ignoreDifferences'), undefined);
  });

  test(`${environment}: Posthorn is deployed from a commit`, { skip }, async () => {
    const manifests = await posthornOf(environment);
    await conform(manifests);
    const deployment = only(manifests, 'Deployment', 'posthorn-delivery');
    const image = at(deployment, 'spec', 'template', 'spec', 'containers', 0, 'image');
    assert.match(String(image), /:[0-9a-f]{40}$/);
    only(manifests, 'ExternalSecret', 'posthorn');
    // The project of the application may create no cluster-scoped object.
    const kinds = new Set(manifests.map(({ kind }) => kind));
    for (const kind of ['Namespace', 'ClusterRole', 'ClusterRoleBinding', 'RoleBinding']) {
      assert.ok(!kinds.has(kind), kind);
    }
    const env = at(deployment, 'spec', 'template', 'spec', 'containers', 0, 'env') as object[];
    const scaled = manifests
      .filter(({ kind }) => ['HorizontalPodAutoscaler', 'ScaledObject'].includes(kind))
      .map(({ spec }) => at(spec, 'scaleTargetRef', 'name'));
    for (const { kind, metadata, spec } of manifests) {
      if (kind !== 'Deployment') continue;
      const fromGit = at(spec, 'replicas') !== undefined;
      assert.equal(fromGit, !scaled.includes(metadata.name), `${metadata.name}: replicas`);
    }
    const replicas = env.find((one) => at(one, 'name') === 'POSTHORN_STREAM_REPLICAS');
    assert.equal(at(replicas, 'value'), '3');
  });

  test(`${environment}: the foundation is valid`, { skip }, async () => {
    const manifests = await foundationOf(environment);
    await conform(manifests);
    for (const name of ['posthorn', 'nats']) {
      const { labels } = only(manifests, 'Namespace', name).metadata;
      assert.equal(labels?.['pod-security.kubernetes.io/enforce'], 'restricted');
    }
    const { labels } = only(manifests, 'Namespace', 'posthorn').metadata;
    assert.equal(labels?.['elbv2.k8s.aws/pod-readiness-gate-inject'], 'enabled');
  });
}

test('the secret of each environment has the keys that the preflight wants', { skip }, async () => {
  for (const environment of environments) {
    const read = [...(await posthornOf(environment)), ...(await foundationOf(environment))]
      .filter(
        ({ kind, metadata }) =>
          kind === 'ExternalSecret' && metadata.name !== 'alertmanager-receivers',
      )
      .flatMap(({ spec }) => at(spec, 'data') as object[])
      .map((entry) => at(entry, 'remoteRef', 'property'));
    assert.deepEqual(new Set(read), new Set(SECRET_KEYS), environment);
  }
});

test(
  'the foundation creates the pull Secret of pods when the image is private',
  { skip },
  async () => {
    const files = ['argocd/apps/values.yaml', 'argocd/environments/dev/apps.yaml'];
    for (const privateImage of [true, false]) {
      const set = [`privateImage=${privateImage}`];
      const manifests = await render('argocd/apps', { release: 'root', values: files, set });
      await conform(manifests);
      const { spec } = only(manifests, 'Application', 'posthorn');
      const given = at(spec, 'source', 'helm', 'valuesObject', 'image', 'pullSecrets');
      const foundation = only(manifests, 'Application', 'foundation').spec;
      const values = at(foundation, 'source', 'helm', 'valuesObject') as object;
      assert.equal(at(values, 'privateImage'), privateImage);
      const made = await foundationFrom(manifests);
      await conform(made);
      const names = made
        .filter(
          ({ kind, metadata }) => kind === 'ExternalSecret' && metadata.namespace === 'posthorn',
        )
        .map((one) => ({ name: at(one, 'spec', 'target', 'name') }));
      assert.deepEqual(given ?? [], names);
      if (!privateImage) continue;
      const template = at(
        only(made, 'ExternalSecret', 'posthorn-pull'),
        'spec',
        'target',
        'template',
      );
      assert.equal(at(template, 'type'), 'kubernetes.io/dockerconfigjson');
      assert.deepEqual(at(template, 'data'), { '.dockerconfigjson': '{{ .imagePullConfig }}' });
    }
  },
);

test('rejects an unknown or incomplete environment with its name', { skip }, async () => {
  const refused = (set: string[]) => render('argocd/apps', { set });
  await assert.rejects(refused(['environment=test']), /\/environment/);
  await assert.rejects(refused(['environment=dev']), /\/region/);
  await assert.rejects(refused(['evironment=dev']), /'evironment' not allowed/);
});

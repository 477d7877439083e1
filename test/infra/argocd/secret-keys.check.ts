/** `npm run make:secrets` prints the secrets that the charts and the program read. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { test } from 'node:test';
import { parse } from 'yaml';
import { loadSettings } from '#config/load.ts';
import { type AppsValues, furtherKeys } from '../../../pulumi/preflight/further-keys.ts';
import { projectRoot, projectText } from '../../docs/project-files.ts';
import { at, render } from '../manifests.ts';
import { tools, without } from '../tools.ts';
import { applicationsOf, environments, foundationFrom, posthornOf } from './environments.ts';
import { makeSecrets, settingsOfKeys } from './secret-keys.ts';

const skip = without(tools.helm);

/** The properties of the store that the ExternalSecrets read. */
const askedBy = (manifests: { kind: string; spec?: unknown }[]): string[] =>
  manifests
    .filter(({ kind }) => kind === 'ExternalSecret')
    .flatMap(({ spec }) => at(spec, 'data') as object[])
    .map((one) => String(at(one, 'remoteRef', 'property')));

for (const environment of environments) {
  test(
    `${environment}: the printed keys are those that its ExternalSecrets read`,
    { skip },
    async () => {
      const foundation = await foundationFrom(await applicationsOf(environment));
      const requested = new Set([
        ...askedBy(foundation),
        ...askedBy(await posthornOf(environment)),
      ]);
      const apps = parse(projectText(`argocd/environments/${environment}/apps.yaml`)) as AppsValues;
      const made = Object.keys(makeSecrets(furtherKeys(apps), true).values);
      assert.deepEqual(new Set(made), requested);
    },
  );
}

test(
  'the keys of receivers of alerts are those that the chart of applications asks for',
  { skip },
  async () => {
    const alerting = {
      page: { pagerduty: true },
      ticket: { slack: '#operations' },
      webhookToken: true,
      smtp: { username: 'alerts' },
    };
    const set = [
      'alerting.page.pagerduty=true',
      'alerting.ticket.slack=operations',
      'alerting.webhookToken=true',
      'alerting.smtp.username=alerts',
    ];
    const values = ['argocd/environments/dev/apps.yaml'];
    const applications = await render('argocd/apps', { release: 'root', values, set });
    const requested = askedBy(await foundationFrom(applications)).filter((key) =>
      key.startsWith('alert'),
    );
    assert.deepEqual(new Set(furtherKeys({ alerting })), new Set(requested));
  },
);

test('the program accepts the printed settings', async () => {
  const { values } = makeSecrets();
  const settings = settingsOfKeys(projectText('charts/posthorn/templates/_secrets.tpl'));
  assert.deepEqual(new Set(settings.keys()), new Set(Object.keys(values)));
  const given = { ...values, mongodbUrl: 'mongodb://node-1/' };
  const env = Object.fromEntries(
    Object.entries(given).map(([key, value]) => [settings.get(key) ?? key, value]),
  );
  loadSettings({ ...env, POSTHORN_NATS_URL: 'nats://node-1:4222', POSTHORN_NATS_USER: 'posthorn' });
});

test('the command prints each format, and rejects another by its name', async () => {
  const run = (...args: string[]) =>
    promisify(execFile)(process.execPath, ['test/infra/argocd/make-secrets.ts', ...args], {
      cwd: projectRoot,
    });
  const json = await run('--format', 'json', '--environment', 'prod');
  assert.ok('alertSmtpPassword' in (JSON.parse(json.stdout) as object));
  assert.match(
    json.stderr,
    /^auth_callout\.issuer of NATS: A[A-Z2-7]{55}\nreplace by hand: mongodbUrl, alertSmtpPassword\n$/,
  );
  assert.match((await run('--format', 'env')).stdout, /^mongodbUrl=REPLACE-ME\nmasterKey=/);
  assert.match((await run('--format', 'settings')).stdout, /^POSTHORN_MONGODB_URL=REPLACE-ME\n/);
  const inCluster = await run('--format', 'json', '--mongodb', 'operator');
  const { mongodbUrl, mongodbPassword } = JSON.parse(inCluster.stdout) as Record<string, string>;
  const url = `mongodb://posthorn:${mongodbPassword}@posthorn-rs0.mongodb.svc.cluster.local/`;
  assert.ok(mongodbUrl?.startsWith(url));
  const page = projectText('docs/operations/kubernetes.md').replace(
    '<mongodbPassword>',
    `${mongodbPassword}`,
  );
  assert.ok(page.includes(String(mongodbUrl)), 'the page shows the same URL');
  await assert.rejects(run('--format', 'xml'), /--format is "xml"; allowed: json, env, settings/);
});

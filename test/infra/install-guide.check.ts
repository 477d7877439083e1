/**
 * The commands of the installation guide: those that can run here are run, the others are compared
 * with the programs, files and values that they name. The first webhook and the machines with
 * systemd are followed in test/infra/systemd.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { parse, stringify } from 'yaml';
import { projectFiles, projectRoot, projectText } from '../docs/project-files.ts';
import { tempDir } from '#testkit/temp-dir.ts';
import { assertAlertmanagerLoads } from './alertmanager.ts';
import { namedCharts } from './cluster/argo/stand-in-charts.ts';
import { blocksOf, commandsOf, guide, section } from './guide.ts';
import { at, conform, helm, type Manifest, only, parseManifests, render } from './manifests.ts';
import { tools, without } from './tools.ts';

const run = promisify(execFile);
const skip = without(tools.helm) || without(tools.kubeconform);
const pages = ['install', 'kubernetes', 'monitoring/alerts', 'processes', 'secrets', 'upgrade'].map(
  (name) => `docs/operations/${name}.md`,
);
const commands = pages.flatMap((path) => commandsOf(projectText(path)));
const valuesOfStep = (heading: string): string => blocksOf(section(heading), 'yaml')[0] ?? '';
const SMALLEST = '### B5. Install Posthorn';

/** Programs of the guide, with the subcommands that it may use. */
const programs: Record<string, RegExp> = {
  'apt-get': /^install --yes /,
  aws: /^(acm|ec2|ecr|eks|iam|s3api|secretsmanager|ssm|sts) [a-z-]+/,
  cat: /./,
  cd: /^(posthorn|pulumi)$/,
  curl: /./,
  docker: /^(buildx (build|create)|compose (up|exec)|login) /,
  echo: /./,
  export: /^[A-Z_]+=/,
  git: /^(clone|commit|push)/,
  helm: /^(upgrade --install|test|template) /,
  install: /^(-d )?-m \d+ /,
  jq: /^--slurp /,
  journalctl: /^--unit \S+ /,
  kubectl:
    /^(--namespace [a-z]+ )?(annotate|apply|create|delete|exec|get|label|logs|patch|port-forward|rollout) ?/,
  mongosh: /^--quiet --tls /,
  'nats-server': /^--version$/,
  node: /^src\/main\.ts (run|migrate|reseal|nats-users)/,
  npm: /^((--prefix \S+ )?ci|run|start|--version$)/,
  openssl: /^(req|x509|rand) /,
  printf: /./,
  promtool: /^query instant /,
  pulumi: /^(login|stack (init|output|rm)|config set|up|destroy)/,
  sed: /^-/,
  systemctl: /^(daemon-reload|(enable --now|start|restart|disable --now) )/,
  tar: /^--extract /,
  useradd: /^--system /,
};

test('every command of the pages is one that a check knows', () => {
  assert.ok(commands.length >= 60, 'the commands were found');
  for (const command of commands) {
    // Variables before the program, or in place of it.
    const bare = command
      .replace(/^([A-Z_]+=(\$\(.*\)|'[^']*'|\S*)\s*)+/, '')
      .replace(/^node_modules\/\.bin\//, '');
    if (bare === '' || bare.startsWith('--')) continue;
    const [, program = '', rest = ''] = /^(\S+) ?(.*)$/.exec(bare) ?? [];
    const known = programs[program];
    assert.ok(known !== undefined, command);
    assert.match(rest, known, command);
  }
});

test('files, services and scripts that the commands name exist', () => {
  const services = Object.keys(
    at(parse(projectText('compose.yaml'), { merge: true }), 'services') as object,
  );
  for (const command of commands) {
    const named = command.matchAll(
      /(?:\s|\.\.\/|\/opt\/posthorn\/)((?:charts|argocd|systemd)\/[\w./@-]+)/g,
    );
    for (const [, path = ''] of named) assert.ok(existsSync(join(projectRoot, path)), command);
    const service = /^docker compose exec (\S+)/.exec(command)?.[1];
    if (service !== undefined) assert.ok(services.includes(service), command);
  }
});

test('the charts of others have the addresses and versions of the applications', () => {
  const text = projectText('argocd/apps/values.yaml');
  const versions = new Map(namedCharts().map(({ chart, version }) => [chart, version]));
  let checked = 0;
  for (const command of commands) {
    const [, chart = '', repository = '', version = ''] =
      /^helm upgrade --install \S+ (\S+) --repo (\S+) --version (\S+)/.exec(command) ?? [];
    if (chart === '') continue;
    checked++;
    assert.equal(version, versions.get(chart), command);
    assert.ok(text.includes(`repoURL: ${repository}`), command);
  }
  assert.equal(checked, 6);
});

test(
  'Alertmanager loads the values of step B3, and pages for every page',
  { skip: without(tools.alertmanager) },
  async (t) => {
    const dir = await tempDir(t);
    const { alertmanager } = parse(valuesOfStep('### B3. Install the operators')) as {
      alertmanager: { config: object };
    };
    const file = join(dir, 'alertmanager.yml');
    writeFileSync(file, stringify(alertmanager.config));
    await assertAlertmanagerLoads(file, dir);
    const routes = at(alertmanager.config, 'route', 'routes') as {
      receiver: string;
      matchers: string[];
    }[];
    const severities = [
      ...projectText('charts/posthorn/files/rules/alerts.yaml').matchAll(/severity: (\w+)/g),
    ];
    for (const [, severity = ''] of severities) {
      const taken = routes.find(({ matchers: [matcher = ''] }) => matcher.includes(severity));
      assert.equal(taken?.receiver, severity === 'page' ? 'page' : undefined, severity);
    }
  },
);

async function renderSmallest(t: Parameters<typeof tempDir>[0], added = ''): Promise<Manifest[]> {
  const dir = await tempDir(t);
  const files = [join(dir, 'my-values.yaml'), join(dir, 'added.yaml')];
  writeFileSync(files[0] as string, valuesOfStep(SMALLEST));
  writeFileSync(files[1] as string, added);
  return render('charts/posthorn', { values: files });
}

test('the smallest values and the objects that the commands name render', { skip }, async (t) => {
  const manifests = await renderSmallest(t);
  await conform(manifests);
  const names = new Set(
    manifests.map(({ kind, metadata }) => `${kind.toLowerCase()}/${metadata.name}`),
  );
  // Of the stand-in for the chart of NATS.
  names.add('statefulset/nats');
  for (const command of commands) {
    for (const [, name = ''] of command.matchAll(/\s((?:job|service|statefulset)\/\S+)/g)) {
      assert.ok(names.has(name), command);
    }
  }
});

test('the chart accepts the switches for a cluster without operators', { skip }, async (t) => {
  const step = section(SMALLEST);
  const switches = [...step.matchAll(/`--set ([\w.=,]+)`/g)].map(([, set = '']) => set);
  assert.equal(switches.length, 2);
  const dir = await tempDir(t);
  const file = join(dir, 'my-values.yaml');
  writeFileSync(file, valuesOfStep(SMALLEST));
  const manifests = await render('charts/posthorn', { values: [file], set: switches });
  const groups = new Set(manifests.map(({ apiVersion }) => apiVersion.split('/')[0]));
  for (const group of groups) {
    assert.ok(!/keda|coreos|external-secrets|cert-manager/.test(group ?? ''), group);
  }
});

test('helm test runs the steps that the guide shows', () => {
  const [shown = ''] = blocksOf(section('## 6. Check it'), 'text');
  const script = projectText('charts/posthorn/files/test/check.mjs');
  for (const line of shown.trim().split('\n')) {
    const [step = ''] = line.split(':');
    assert.ok(script.includes(`'${step}`), step);
  }
});

test('way A has each input before the step that needs it', () => {
  const steps = commandsOf(section('## Way A: AWS'));
  let last = -1;
  for (const step of [
    'export AWS_REGION=',
    'pulumi login ',
    'pulumi stack init ',
    'pulumi config set --stack prod mongodbMode operator',
    'npm run preflight ',
    // Argo CD follows the copy from the first `pulumi up` on.
    'git push',
    'pulumi up ',
    'docker buildx build ',
    'git push',
    // Posthorn starts with the secrets, and needs the image then.
    'aws secretsmanager put-secret-value ',
  ]) {
    last = steps.findIndex((command, index) => index > last && command.startsWith(step));
    assert.ok(last >= 0, `${step}: not after the steps before it`);
  }
  const migration = at(parse(projectText('charts/posthorn/values.yaml')), 'migration');
  const minutes = Number(at(migration, 'activeDeadlineSeconds')) / 60;
  assert.ok(section('## Way A: AWS').includes(`time limit of ${minutes} minutes`));
  const region = /region: (\S+)/.exec(projectText('pulumi/Pulumi.prod.yaml'))?.[1];
  assert.ok(steps.includes(`export AWS_REGION=${region}`), 'the region of the stack');
});

test('way B configures kube-prometheus-stack as Argo CD does, except for storage and receivers', () => {
  const { alertmanager, ...ours } = parse(valuesOfStep('### B3. Install the operators')) as Record<
    string,
    unknown
  >;
  assert.ok(alertmanager !== undefined);
  const apps = parse(projectText('argocd/apps/values.yaml')) as { platform: object };
  const { prometheus, ...theirs } = at(apps.platform, 'kube-prometheus-stack', 'values') as Record<
    string,
    unknown
  >;
  assert.ok(prometheus !== undefined);
  assert.deepEqual(ours, theirs);
});

test('streams have bounds in each way, and the disk is larger than JetStream', () => {
  const { settings } = parse(valuesOfStep(SMALLEST)) as { settings: Record<string, number> };
  const nats: unknown = parse(projectText('charts/nats/values.yaml'));
  const store = String(at(nats, 'config', 'jetstream', 'fileStore', 'maxSize'));
  const gib = Number(/^(\d+)Gi$/.exec(store)?.[1]);
  assert.equal(settings['POSTHORN_JETSTREAM_BYTES_MAX'], gib * 1024 ** 3);
  const config = projectText('systemd/nats-server.conf');
  const onMachine = Number(/max_file_store: (\d+)GB/.exec(config)?.[1]);
  const bound = `POSTHORN_JETSTREAM_BYTES_MAX=${onMachine * 1024 ** 3}\n`;
  assert.ok(projectText('systemd/posthorn.env').includes(bound), bound);
  // MongoDB is on the same disk.
  const [, disk, part] =
    /a disk of (\d+) GiB or more each \(up to (\d+) for NATS\)/.exec(guide) ?? [];
  assert.equal(Number(part), onMachine);
  assert.ok(Number(disk) >= 2 * onMachine);
});

/** The names of the Secrets that manifests read. */
function secretsOf(value: unknown): Set<string> {
  if (typeof value !== 'object' || value === null) return new Set();
  const own = [at(value, 'secretName'), at(value, 'secret', 'name')].filter(
    (name) => typeof name === 'string',
  );
  return new Set([...own, ...Object.values(value).flatMap((one) => [...secretsOf(one)])]);
}

test(
  'step B4 creates the namespaces, certificates and Secrets that NATS and Posthorn name',
  { skip },
  async (t) => {
    const step = section('### B4. Install NATS');
    const [first = ''] = commandsOf(step);
    const { stdout } = await helm(
      first
        .replace(/ > .*$/, '')
        .split(' ')
        .slice(1),
    );
    const manifests = parseManifests(stdout);
    await conform(manifests);
    for (const name of ['posthorn', 'nats']) only(manifests, 'Namespace', name);
    const made = manifests
      .filter(({ kind }) => kind === 'Certificate')
      .map((one) => `${one.metadata.namespace}/${String(at(one, 'spec', 'secretName'))}`);
    const values = parse(valuesOfStep(SMALLEST)) as { nats: { caSecret: string } };
    const nats: unknown = parse(projectText('charts/nats/values.yaml'));
    assert.ok(made.includes(`posthorn/${values.nats.caSecret}`), 'the authority of NATS');
    assert.ok(made.includes(`nats/${String(at(nats, 'tlsCA', 'secretName'))}`), 'the certificate');
    // Nothing of it needs an operator that the guide does not install.
    const groups = new Set(manifests.map(({ apiVersion }) => apiVersion));
    assert.deepEqual([...groups].toSorted(), ['cert-manager.io/v1', 'networking.k8s.io/v1', 'v1']);
    const access = at(
      nats,
      'container',
      'env',
      'POSTHORN_NATS_PASSWORD',
      'valueFrom',
      'secretKeyRef',
    );
    const command = commandsOf(step).find((one) => one.includes(' create secret generic ')) ?? '';
    assert.ok(command.includes(` ${String(at(access, 'name'))} `), command);
    assert.ok(command.includes(`--from-literal ${String(at(access, 'key'))}=`), command);
    const secrets = secretsOf(await renderSmallest(t));
    assert.ok(secrets.size >= 3, 'the Secrets were found');
    const created = new Set(
      commandsOf(section(SMALLEST)).flatMap(
        (one) => /create secret \w+ (\S+)/.exec(one)?.[1] ?? [],
      ),
    );
    const provided = new Set([...created, ...made.map((one) => one.split('/')[1] ?? '')]);
    const missing = [...secrets].filter((name) => !provided.has(name));
    assert.deepEqual(missing, []);
  },
);

test('the chart accepts the values that other pages add', { skip }, async (t) => {
  const known = Object.keys(parse(projectText('charts/posthorn/values.yaml')) as object);
  let rendered = 0;
  for (const { path, text } of projectFiles('docs/operations/**/*.md')) {
    // The values of the install guide are tested above. The others belong to other charts.
    if (path.endsWith('/install.md')) continue;
    for (const [, added = ''] of text.matchAll(/^ *```yaml\n([\s\S]*?)^ *```$/gm)) {
      const isOfChart = Object.keys(parse(added) as object).every((key) => known.includes(key));
      if (!isOfChart || added.startsWith('mongodb: { mode: ')) continue;
      await renderSmallest(t, added);
      rendered++;
    }
  }
  assert.ok(rendered >= 5, 'the values were found');
});

test('the secrets of each way are printed by the commands of the guide', async (t) => {
  const dir = await tempDir(t);
  const lines = commandsOf(section('## 2. Make the secrets'));
  assert.equal(lines.length, 3);
  for (const line of lines) {
    const [, command = '', file = ''] = /^(.*) > (\S+)$/.exec(line) ?? [];
    const [program = '', ...args] = command.split(' ');
    const { stdout, stderr } = await run(program, args, { cwd: projectRoot });
    const [, shown = ''] = guide.split('other systems give:');
    const form = (text: string): string => text.replace(/NATS: A[A-Z2-7]{55}/, 'NATS: <issuer>');
    if (file.endsWith('.json')) {
      assert.equal(form(stderr), form(blocksOf(shown, 'text')[0] ?? ''));
    }
    writeFileSync(join(dir, file), stdout);
    assert.ok(readFileSync(join(dir, file), 'utf8').length > 200, file);
  }
});

test('the keys of the table are those that the chart reads, with their settings', () => {
  const page = projectText('docs/operations/secrets.md');
  const described = [...page.matchAll(/^\| `([a-z]+[A-Z]\w*)` \| `(POSTHORN_\w+)` \|/gm)];
  const template = projectText('charts/posthorn/templates/_secrets.tpl');
  const requested = [...template.matchAll(/set \$keys "(\w+)" "(\w+)"/g)];
  const pairs = (found: RegExpExecArray[]): string[] =>
    found.map(([, key, setting]) => `${key}: ${setting}`).toSorted();
  assert.deepEqual(pairs(described), pairs(requested));
});

test('nats-server of the guide is the version that the tests run', () => {
  const version = /NATS_SERVER_VERSION = '([\d.]+)'/.exec(
    projectText('src/embedded/binary-sources.ts'),
  )?.[1];
  for (const [, named] of guide.matchAll(/nats-server[-:]? ?v([\d.]+\d)/g))
    assert.equal(named, version);
});

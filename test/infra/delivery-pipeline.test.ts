/** Facts in the workflows, the Dockerfile and the compose file that no linter checks. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'yaml';
import { settingsSchema } from '#config/schema.ts';
import { projectFiles, projectText } from '../docs/project-files.ts';
import { builtVersions, readSteps, RESULT_DOCUMENT } from './cluster/result/last-result.ts';
import { at } from './manifests.ts';

const scriptsOf = (path: string): Record<string, string> =>
  (JSON.parse(projectText(path)) as { scripts: Record<string, string> }).scripts;

/** The steps of `.ci/cluster`, with the command of each. */
const longSteps = {
  install: 'npm ci',
  tools: 'npm run tools:cluster',
  cluster: 'npm run test:cluster',
  base: 'npm run base:image',
  image: 'npm run test:image',
};
const workflows = projectFiles('.github/workflows/*.yaml');
const { scripts, dependencies } = JSON.parse(projectText('package.json')) as {
  scripts: Record<string, string>;
  dependencies: Record<string, string>;
};

test('actions are pinned to commits with their version in a comment', () => {
  let uses = 0;
  for (const { path, text } of workflows) {
    for (const [line, action = ''] of text.matchAll(/^.*\buses: (\S+).*$/gm)) {
      uses++;
      if (action.startsWith('./')) continue;
      assert.match(line, /@[0-9a-f]{40} # v\d+(\.\d+)*$/, `${path}: ${line.trim()}`);
    }
  }
  assert.ok(uses > 10, 'the actions were found');
});

test('workflows have read permission, jobs have a time limit, and scripts contain no event data', () => {
  for (const { path, text } of workflows) {
    const workflow: unknown = parse(text);
    assert.deepEqual(at(workflow, 'permissions'), { contents: 'read' }, path);
    for (const [name, job] of Object.entries(at(workflow, 'jobs') as Record<string, object>)) {
      if (at(job, 'uses') !== undefined) continue;
      assert.ok((at(job, 'timeout-minutes') as number) > 0, `${path}: ${name}`);
      for (const step of at(job, 'steps') as object[]) {
        assert.doesNotMatch((at(step, 'run') ?? '') as string, /\$\{\{/, `${path}: ${name}`);
      }
    }
  }
});

test('the scripts that CI runs exist, and .ci/run has the steps of the workflow', () => {
  for (const { path, text } of [...workflows, ...projectFiles('.ci/run', '.ci/cluster')]) {
    const named = text.matchAll(/\bnpm run (?:--silent )?([\w:-]+)(?: --prefix (\w+))?/g);
    for (const [, script = '', folder] of named) {
      const known = folder === undefined ? scripts : scriptsOf(`${folder}/package.json`);
      assert.ok(script in known, `${path}: npm run ${script}`);
    }
  }
  const local = projectText('.ci/run');
  for (const step of ['npm run verify', 'npm test -- --coverage', 'npm run test:infra']) {
    assert.ok(local.includes(step), step);
    assert.ok(projectText('.github/workflows/verify.yaml').includes(step), step);
  }
});

test('the nightly workflow runs .ci/cluster, which needs every tool', () => {
  const script = projectText('.ci/cluster');
  const steps = script.split('\n').filter((line) => /\bstep \w+ \d+ /.test(line));
  for (const [name, command] of Object.entries(longSteps)) {
    const step = steps.find((line) => line.includes(`step ${name} `)) ?? '';
    assert.ok(step.includes(command), `${name}: ${command}`);
    if (name === 'cluster' || name === 'image') assert.match(step, /^ *INFRA_TOOLS_REQUIRED=1 /);
  }
  assert.equal(steps.length, Object.keys(longSteps).length);
  const nightly: unknown = parse(projectText('.github/workflows/nightly.yaml'));
  const commands = (at(nightly, 'jobs', 'cluster', 'steps') as object[]).map((one) =>
    String(at(one, 'run')),
  );
  assert.ok(commands.some((command) => command.includes('.ci/cluster')));
});

test('a workflow compares the images of charts each week, and when a chart is updated', () => {
  const path = '.github/workflows/chart-images.yaml';
  const workflow: unknown = parse(projectText(path));
  const cron = String(at(workflow, 'on', 'schedule', 0, 'cron'));
  assert.match(cron, /^\d+ \d+ \* \* \d$/);
  const watched = at(workflow, 'on', 'pull_request', 'paths') as string[];
  for (const one of watched) assert.equal(projectFiles(one).length, 1, one);
  // The files that hold the versions and the list.
  for (const one of ['argocd/apps/values.yaml', 'pulumi/src/chart-images.ts']) {
    assert.ok(watched.includes(one), one);
  }
  const commands = (at(workflow, 'jobs', 'compare', 'steps') as object[]).map((step) =>
    String(at(step, 'run')),
  );
  assert.ok(commands.includes('npm run check:images --prefix pulumi'));
  assert.match(String(scriptsOf('pulumi/package.json')['check:images']), /chart-images\.check\.ts/);
  assert.ok(projectText('docs/operations/cloud.md').includes('npm run check:images'));
});

test('the result of .ci/cluster has the time and the passed tests of each step', () => {
  const log = [
    '=== install: npm ci\nadded 400 packages\n=== install: passed in 30 s',
    '=== cluster: npm run test:cluster\nℹ pass 24\nℹ skipped 0\n=== cluster: passed in 300 s',
  ].join('\n');
  assert.deepEqual(readSteps(log), [
    { name: 'install', seconds: 30, passed: undefined },
    { name: 'cluster', seconds: 300, passed: 24 },
  ]);
  const skipping = log.replace('skipped 0', 'skipped 1');
  assert.throws(() => readSteps(skipping), /cluster has skipped tests/);
  const failed = log.replace('=== cluster: passed in 300 s', '=== cluster: FAILED (exit code 1)');
  assert.throws(() => readSteps(failed), /cluster has not passed/);
});

test('the image has the Node version of the lock file and does not run as root', () => {
  const dockerfile = projectText('Dockerfile');
  const version = /^ARG NODE_IMAGE=\S+node:(\d+\.\d+\.\d+)-/m.exec(dockerfile)?.[1];
  const lock = JSON.parse(projectText('package-lock.json')) as {
    packages: Record<string, { version: string }>;
  };
  assert.ok('node' in dependencies);
  assert.equal(version, lock.packages['node_modules/node']?.version);
  assert.match(dockerfile, /^USER 1000:1000$/m);
  assert.match(dockerfile, /--omit=dev --omit=optional --ignore-scripts/);
  const ignored = projectText('.dockerignore').split('\n');
  assert.ok(ignored.includes('*'), 'only listed files are in the image');
});

test('the compose file has known settings, data in volumes and no port open to the network', () => {
  const compose: unknown = parse(projectText('compose.yaml'), { merge: true });
  const services = at(compose, 'services') as Record<string, object>;
  assert.deepEqual(Object.keys(services), ['keys', 'migrate', 'posthorn', 'nats', 'mongodb']);
  for (const [name, service] of Object.entries(services)) {
    for (const port of (at(service, 'ports') ?? []) as string[]) {
      assert.match(port, /^127\.0\.0\.1:/, name);
    }
    for (const setting of Object.keys(at(service, 'environment') ?? {})) {
      assert.ok(setting.replace(/_FILE$/, '') in settingsSchema.properties, setting);
    }
    for (const volume of (at(service, 'volumes') ?? []) as string[]) {
      const source = volume.split(':')[0] as string;
      assert.ok(source in (at(compose, 'volumes') as object), `${name}: ${volume}`);
    }
  }
  for (const name of ['keys', 'migrate', 'posthorn']) {
    assert.equal(at(services[name], 'read_only'), true, name);
    assert.deepEqual(at(services[name], 'cap_drop'), ['ALL'], name);
  }
  const condition = at(services['posthorn'], 'depends_on', 'migrate', 'condition');
  assert.equal(condition, 'service_completed_successfully');
});

test('the image name is in lower case, as registries require', () => {
  const workflow = projectText('.github/workflows/image.yaml');
  assert.match(workflow, /IMAGE=ghcr\.io\/\$\{GITHUB_REPOSITORY,,\}/);
  // The expression keeps the capitals of the owner's name.
  for (const { path, text } of workflows) {
    assert.doesNotMatch(text, /ghcr\.io\/\$\{\{ github\.repository/, path);
  }
});

test('the recorded result of .ci/cluster is of the versions that it builds', () => {
  assert.ok(projectText(RESULT_DOCUMENT).includes(`Built: ${builtVersions().join(', ')}.`));
});

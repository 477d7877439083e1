import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import { AccountKey, newAccountSeed } from '#src/ingress/auth-callout/account-key.ts';
import { projectRoot, projectText } from '../../docs/project-files.ts';
import { findPlaceholders, places } from './placeholders.ts';

const environments = ['dev', 'stage', 'prod'];

/** Files that contain only these values, by path and key. */
function filesOf(values: Readonly<Record<string, unknown>>): (path: string) => string {
  const files = new Map<string, Record<string, unknown>>();
  for (const { file, key } of places) {
    const content = files.get(file) ?? {};
    const keys = key.split('.');
    let here = content;
    for (const part of keys.slice(0, -1)) here = (here[part] ??= {}) as Record<string, unknown>;
    here[keys.at(-1) as string] = values[key];
    files.set(file, content);
  }
  return (path) => {
    const file = path.replace(/\b(dev|stage|prod)\b/, '*');
    return stringify(files.get(file) ?? assert.fail(path));
  };
}

const owned = {
  'spec.source.repoURL': 'https://git.acme.test/platform/posthorn.git',
  repoURL: 'https://git.acme.test/platform/posthorn.git',
  'image.repository': 'registry.acme.test/posthorn',
  'ingress.publishHost': 'in.acme.test',
  'ingress.apiHost': 'api.acme.test',
  'config.merge.authorization.auth_callout.issuer': new AccountKey(newAccountSeed()).publicKey,
  'alerting.page': { pagerduty: true },
  'alerting.ticket': { email: ['operations@acme.test'] },
  'alerting.smtp': { smarthost: 'smtp.acme.test:587', from: 'alerts@acme.test', username: 'AKIA' },
};

test('rejects each committed placeholder with its file and key', () => {
  for (const environment of environments) {
    const left = findPlaceholders(environment, projectText);
    assert.equal(left.length, places.length, left.join('\n'));
    for (const [index, { file, key, needed }] of places.entries()) {
      const line = left[index] as string;
      assert.ok(line.startsWith(`${file.replace('*', environment)}: ${key} is `), line);
      assert.ok(line.endsWith(needed), line);
    }
  }
});

test('an environment without placeholders passes', () => {
  for (const environment of environments) {
    assert.deepEqual(findPlaceholders(environment, filesOf(owned)), []);
  }
});

test('an environment without e-mail needs no mail server', () => {
  const slack = { ...owned, 'alerting.ticket': { slack: '#operations' } };
  assert.deepEqual(findPlaceholders('prod', filesOf({ ...slack, 'alerting.smtp': undefined })), []);
});

test('rejects a single remaining placeholder with its name, and no other', () => {
  const issuer = 'config.merge.authorization.auth_callout.issuer';
  const forgotten: readonly (readonly [string, unknown])[] = [
    ['ingress.apiHost', 'api.prod.example.com'],
    ['image.repository', 'ghcr.io/posthorn/posthorn'],
    [issuer, owned[issuer].slice(0, -1)],
    [issuer, newAccountSeed()],
    ['alerting.page', { email: [], pagerduty: false, slack: '' }],
    ['alerting.ticket', { email: ['operations@example.com'] }],
    ['alerting.smtp', { smarthost: 'smtp.example.com:587', from: 'alerts@acme.test' }],
    ['alerting.smtp', { smarthost: 'smtp.acme.test:587', from: 'alerts@example.com' }],
  ];
  for (const [key, value] of forgotten) {
    const left = findPlaceholders('prod', filesOf({ ...owned, [key]: value }));
    assert.equal(left.length, 1, key);
    assert.ok(left[0]?.includes(`: ${key} is ${JSON.stringify(value)}`), left[0]);
  }
});

test('the command fails with all remaining placeholders, and rejects an unknown environment', async () => {
  const run = (environment: string) =>
    promisify(execFile)(
      process.execPath,
      [join(projectRoot, 'test/infra/argocd/check-placeholders.ts'), environment],
      { timeout: 60_000 },
    ).then(
      () => assert.fail(environment),
      (error: unknown) => error as { code: number; stderr: string },
    );
  const left = await run('prod');
  assert.equal(left.code, 1);
  assert.equal(left.stderr.match(/^argocd\//gm)?.length, places.length);
  const unknown = await run('production');
  assert.equal(unknown.code, 2);
  assert.match(unknown.stderr, /"production"; allowed: dev, stage, prod/);
});

test('the guide lists every placeholder with its file', () => {
  const guide = projectText('docs/operations/install.md');
  for (const { file, key } of places) {
    const shown = file.replace('*', '<name>');
    assert.ok(guide.includes(`| \`${shown}\` | \`${key}\` |`), `${shown}: ${key}`);
  }
});

test('a roll-out stops while a placeholder remains', () => {
  assert.match(
    projectText('.github/workflows/roll-out.yaml'),
    /npm run check:placeholders -- "\$ENVIRONMENT"[\s\S]*image\.yaml/,
  );
});

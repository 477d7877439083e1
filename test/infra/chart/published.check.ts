/** The published chart, with a version and the image of its commit. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { tempDir } from '#testkit/temp-dir.ts';
import { projectText } from '../../docs/project-files.ts';
import { at, helm, podTemplates, render } from '../manifests.ts';
import { tools, without } from '../tools.ts';
import { serveObjects } from './kube-stand-in.ts';

const skip = without(tools.helm);
const HOSTS = ['ingress.publishHost=in.example.com,ingress.apiHost=api.example.com'];

test('a published chart runs the image of its commit', { skip }, async (t) => {
  const dir = await tempDir(t);
  const commit = 'c0ffee'.padEnd(40, '0');
  const version = '1.2.3';
  // The workflow packages the chart in this way.
  const workflow = projectText('.github/workflows/chart.yaml');
  assert.match(
    workflow,
    /helm package charts\/posthorn --version "\$VERSION" --app-version "\$GITHUB_SHA"/,
  );
  const how = ['--version', version, '--app-version', commit, '--destination', dir];
  await helm(['package', 'charts/posthorn', ...how]);
  const manifests = await render(join(dir, `posthorn-${version}.tgz`));
  const templates = podTemplates(manifests);
  assert.ok(templates.length > 5);
  for (const { pod, name } of templates) {
    const image = at(pod, 'containers', 0, 'image');
    assert.equal(image, `ghcr.io/posthorn/posthorn:${commit}`, name);
  }
});

/**
 * Returns the notes of an installation, from `helm install` against a stand-in of the API server.
 */
async function notesOf(server: string, set: string[]): Promise<string> {
  const args = ['install', 'hooks', 'charts/posthorn', '--dry-run=client', '--namespace', 'acme'];
  args.push('--kube-apiserver', server, '--kube-token', 'x', '--disable-openapi-validation');
  args.push('--set', 'image.tag=abc');
  for (const value of set) args.push('--set', value);
  const { stdout } = await helm(args);
  return stdout.slice(stdout.indexOf('NOTES:'));
}

test(
  'the notes name the installed parts and warn of missing production settings',
  { skip },
  async (t) => {
    const set = ['image.tag=abc', 'ingress.enabled=true', ...HOSTS];
    const kinds = await render('charts/posthorn', { set });
    const server = await serveObjects(t, [], kinds);
    const plain = await notesOf(server, []);
    assert.match(plain, /helm test hooks --namespace acme --logs/);
    assert.match(plain, /port-forward service\/hooks-posthorn-control 8080:80/);
    assert.match(plain, /WARNING: tls\.secret is empty/);
    assert.match(plain, /get secret posthorn --output jsonpath='\{\.data\.bootstrapKey\}'/);
    assert.match(
      plain,
      /WARNING: nats\.url: connections to nats:\/\/nats\.nats.* are not encrypted/,
    );
    const safe = await notesOf(server, [
      'nats.url=tls://nats.nats.svc:4222,tls.secret=tls,ingress.enabled=true',
      ...HOSTS,
      'secret.references.bootstrapKey.name=keys,secret.references.bootstrapKey.key=platform\\.key',
    ]);
    assert.match(safe, /Producers publish to https:\/\/in\.example\.com/);
    assert.match(safe, /The API is on +https:\/\/api\.example\.com/);
    assert.match(safe, /get secret keys --output jsonpath='\{\.data\.platform\\\.key\}'/);
    assert.doesNotMatch(safe, /WARNING|port-forward/);
    const secret = await notesOf(server, [
      'nats.url=nats://user:hidden@nats:4222',
      'probe.enabled=false',
    ]);
    assert.doesNotMatch(secret, /hidden/);
    assert.match(secret, /WARNING: probe\.enabled is false/);
  },
);

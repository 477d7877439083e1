import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { kubernetesVersion } from '../manifests.ts';

interface LiveObject {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace: string };
  spec: object;
}

interface Kind {
  apiVersion: string;
  kind: string;
}

/** The kinds that the chart looks up. */
const LOOKED_UP: Kind[] = [
  { apiVersion: 'apps/v1', kind: 'Deployment' },
  { apiVersion: 'argoproj.io/v1alpha1', kind: 'Rollout' },
];

/** Discovery of these kinds. The plurals are right for the kinds that the chart looks up. */
function discovery(kinds: Kind[]): Map<string, object> {
  const [major, minor] = kubernetesVersion.split('.');
  const bodies = new Map<string, object>([
    ['/version', { major, minor, gitVersion: `v${kubernetesVersion}` }],
    ['/api', { kind: 'APIVersions', versions: ['v1'] }],
  ]);
  const groups = [];
  for (const apiVersion of new Set(kinds.map((one) => one.apiVersion))) {
    const resources = kinds
      .filter((one) => one.apiVersion === apiVersion)
      .map(({ kind }) => {
        const name = `${kind.toLowerCase()}s`;
        return { name, kind, namespaced: true, verbs: ['get', 'list'] };
      });
    const list = { kind: 'APIResourceList', groupVersion: apiVersion, resources };
    const [group = '', version] = apiVersion.split('/');
    bodies.set(version === undefined ? `/api/${apiVersion}` : `/apis/${apiVersion}`, list);
    if (version === undefined) continue;
    const named = { groupVersion: apiVersion, version };
    groups.push({ name: group, versions: [named], preferredVersion: named });
  }
  bodies.set('/apis', { kind: 'APIGroupList', apiVersion: 'v1', groups });
  return bodies;
}

/**
 * Serves as much of the Kubernetes API as rendering needs: discovery of the kinds that the chart
 * looks up and of `more`, and reading `objects`. A control plane would take a quarter of an hour to
 * build.
 *
 * @returns its URL
 */
export async function serveObjects(
  t: TestContext,
  objects: LiveObject[],
  more: Kind[] = [],
): Promise<string> {
  const unique = new Map(
    [...LOOKED_UP, ...more].map((one) => [`${one.apiVersion} ${one.kind}`, one]),
  );
  const bodies = discovery([...unique.values()]);
  for (const one of objects) {
    const { namespace, name } = one.metadata;
    const plural = `${one.kind.toLowerCase()}s`;
    bodies.set(`/apis/${one.apiVersion}/namespaces/${namespace}/${plural}/${name}`, one);
  }
  const server = createServer((request, response) => {
    const body = bodies.get(new URL(request.url ?? '/', 'http://api').pathname);
    response.writeHead(body ? 200 : 404, { 'content-type': 'application/json' });
    const missing = {
      kind: 'Status',
      apiVersion: 'v1',
      status: 'Failure',
      reason: 'NotFound',
      code: 404,
    };
    response.end(JSON.stringify(body ?? missing));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';

interface LiveObject {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace: string };
  spec: object;
}

/** The plural names of the kinds that the chart looks up. */
const RESOURCES = [
  { group: 'apps', version: 'v1', kind: 'Deployment', name: 'deployments' },
  { group: 'argoproj.io', version: 'v1alpha1', kind: 'Rollout', name: 'rollouts' },
];

/**
 * Serves as much of the Kubernetes API as `lookup` of a template needs: discovery, and reading
 * `objects`. A control plane would take a quarter of an hour to build.
 *
 * @returns its URL
 */
export async function serveObjects(t: TestContext, objects: LiveObject[]): Promise<string> {
  const bodies = new Map<string, object>([
    ['/version', { major: '1', minor: '34', gitVersion: 'v1.34.0' }],
    ['/api', { kind: 'APIVersions', versions: ['v1'] }],
    ['/api/v1', { kind: 'APIResourceList', groupVersion: 'v1', resources: [] }],
    [
      '/apis',
      {
        kind: 'APIGroupList',
        apiVersion: 'v1',
        groups: RESOURCES.map(({ group, version }) => {
          const named = { groupVersion: `${group}/${version}`, version };
          return { name: group, versions: [named], preferredVersion: named };
        }),
      },
    ],
  ]);
  for (const { group, version, kind, name } of RESOURCES) {
    const groupVersion = `${group}/${version}`;
    const resources = [{ name, kind, namespaced: true, verbs: ['get', 'list'] }];
    bodies.set(`/apis/${groupVersion}`, { kind: 'APIResourceList', groupVersion, resources });
    for (const one of objects.filter((object) => object.kind === kind)) {
      const { namespace, name: object } = one.metadata;
      bodies.set(`/apis/${groupVersion}/namespaces/${namespace}/${name}/${object}`, one);
    }
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

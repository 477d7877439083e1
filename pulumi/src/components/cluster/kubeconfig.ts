import * as pulumi from '@pulumi/pulumi';
import type { PlatformContext } from '../../platform-context.ts';
import type { Cluster } from './cluster.ts';

/**
 * How to reach the API of a cluster, with a token that the AWS command line makes at each use. It
 * holds no credential. With `apiTunnelUrl` the connection goes to the near end of a tunnel, and the
 * certificate is still held against the real name.
 */
export function kubeconfigOf(context: PlatformContext, cluster: Cluster): pulumi.Output<string> {
  const { apiTunnelUrl, region } = context.settings;
  const connection = cluster.endpoint.apply((endpoint) =>
    apiTunnelUrl === ''
      ? { server: endpoint }
      : { server: apiTunnelUrl, 'tls-server-name': new URL(endpoint).hostname },
  );
  const { name } = context;
  return pulumi
    .all([connection, cluster.certificateAuthority, cluster.name])
    .apply(([at, authority, clusterName]) =>
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Config',
        clusters: [{ name, cluster: { ...at, 'certificate-authority-data': authority } }],
        users: [
          {
            name,
            user: {
              exec: {
                apiVersion: 'client.authentication.k8s.io/v1beta1',
                command: 'aws',
                args: ['eks', 'get-token', '--region', region, '--cluster-name', clusterName],
                interactiveMode: 'Never',
              },
            },
          },
        ],
        contexts: [{ name, context: { cluster: name, user: name } }],
        'current-context': name,
      }),
    );
}

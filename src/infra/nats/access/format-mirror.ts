import { MIRROR_USER, mirrorPermissions, PRIMARY_DOMAIN } from './mirror-permissions.ts';

const list = (subjects: string[]): string[] =>
  subjects.map((subject) => `              - ${JSON.stringify(subject)}`);

/**
 * Values for the chart of NATS of the primary region, in YAML, in addition to its others: a user
 * for the brokers of the recovery region, and the port at which they connect.
 */
export function mirroredValues(shards: number): string {
  const { publish, subscribe } = mirrorPermissions(shards);
  const lines = [
    '# Made by "npm run docs" of src/infra/nats/access/mirror-permissions.ts: the brokers of the primary region, followed by those of',
    `# the recovery region (mirror.yaml). After users.yaml. For up to ${shards} shards. See docs/operations/region-loss.md.`,
    'config:',
    `  jetstream: { merge: { domain: ${PRIMARY_DOMAIN} } }`,
    '  leafnodes:',
    '    enabled: true',
    '    tls: { enabled: true, secretName: nats-tls }',
    '  # Lists are replaced by a merge: these are added.',
    '  patch:',
    '    - op: add',
    '      path: /authorization/auth_callout/auth_users/-',
    `      value: ${MIRROR_USER}`,
    '    - op: add',
    '      path: /authorization/users/-',
    '      value:',
    `        user: ${MIRROR_USER}`,
    '        password: << $POSTHORN_NATS_PASSWORD_MIRROR >>',
    '        permissions:',
    '          publish:',
    '            allow:',
    ...list(publish.allow),
    '          subscribe:',
    '            allow:',
    ...list(subscribe.allow),
    'container:',
    '  env:',
    '    POSTHORN_NATS_PASSWORD_MIRROR:',
    '      valueFrom: { secretKeyRef: { name: nats-mirror, key: password } }',
  ];
  return `${lines.join('\n')}\n`;
}

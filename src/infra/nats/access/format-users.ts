import { type NatsUser, natsPermissions, natsUserName, natsUsers } from './role-permissions.ts';

/** The variable of the environment of nats-server with the password of a user. */
export function passwordVariable(user: NatsUser): string {
  return `POSTHORN_NATS_PASSWORD_${user.toUpperCase()}`;
}

/**
 * The users of all roles as a block of the configuration of nats-server. Their passwords come from
 * the environment of the server.
 *
 * @param issuer the public key of the account that signs the users of producers (`A…`)
 */
export function natsUsersConfig(shards: number, issuer?: string): string {
  const users = natsUsers.map(
    (user) =>
      `    { user: ${natsUserName(user)}, password: $${passwordVariable(user)}, permissions: ${JSON.stringify(natsPermissions(user, shards))} }`,
  );
  const callout =
    issuer === undefined
      ? ''
      : `  auth_callout { issuer: ${issuer}, auth_users: ${JSON.stringify(natsUsers.map(natsUserName))} }\n`;
  return `authorization {
  timeout: 5
  users: [
${users.join('\n')}
  ]
${callout}}
`;
}

const list = (subjects: string[]): string =>
  subjects.map((subject) => `                - ${JSON.stringify(subject)}\n`).join('');

/** The same users as values for the chart of NATS, in YAML. */
export function natsUsersValues(shards: number): string {
  const lines = natsUsers.map((user) => {
    const { publish, subscribe, allow_responses: responds } = natsPermissions(user, shards);
    return `        - user: ${natsUserName(user)}
          password: << $${passwordVariable(user)} >>
          permissions:
            allow_responses: ${responds}
            publish:
              allow:
${list(publish.allow)}            subscribe:
              allow:
${list(subscribe.allow)}`;
  });
  const env = natsUsers.map(
    (user) => `    ${passwordVariable(user)}:
      valueFrom: { secretKeyRef: { name: nats-access, key: ${passwordKey(user)} } }
`,
  );
  return `# Made by "npm run docs" of src/infra/nats/access/role-permissions.ts: a user for each role, with the rights of that role alone,
# instead of the user of values.yaml. For up to ${shards} shards; more: posthorn nats-users.
config:
  merge:
    authorization:
      users:
${lines.join('')}      auth_callout:
        auth_users: ${JSON.stringify(natsUsers.map(natsUserName))}
container:
  env:
    # Not used. The chart of NATS refuses null.
    POSTHORN_NATS_PASSWORD: ''
${env.join('')}`;
}

/** The key of the Secret with the password of a user. */
export function passwordKey(user: NatsUser): string {
  return `natsPassword${user.charAt(0).toUpperCase()}${user.slice(1)}`;
}

import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { parse } from 'yaml';
import { passwordVariable } from '#infra/nats/access/format-users.ts';
import { type NatsUser, natsUserName, natsUsers } from '#infra/nats/access/role-permissions.ts';
import { findFreePort } from '#src/embedded/free-port.ts';
import { natsServer } from '#src/embedded/program.ts';
import { ServerProcess } from '#src/embedded/server-process.ts';
import { connect } from '@nats-io/transport-node';
import { testBinary } from '#testkit/servers.ts';
import { tempDir } from '#testkit/temp-dir.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { projectText } from '../../docs/project-files.ts';

/** A nats-server with a user for each role. */
export interface Site {
  url: string;
  /** The settings with which a process logs in as a user. */
  loginOf: (user: NatsUser) => { POSTHORN_NATS_USER: string; POSTHORN_NATS_PASSWORD: string };
  kill: () => Promise<void>;
}

type Tree = { [key: string]: unknown };
interface Operation {
  path: string;
  value: unknown;
}

/** The values of the repository, as the chart of NATS combines them. */
function configOf(values: string): Tree {
  const users = parse(projectText('charts/nats/users.yaml')) as Tree;
  const more = parse(projectText(values)) as Tree;
  const {
    jetstream,
    leafnodes,
    patch = [],
  } = more['config'] as {
    jetstream: { merge: Tree };
    leafnodes: { merge?: Tree };
    patch?: Operation[];
  };
  const { merge } = users['config'] as { merge: Tree };
  for (const { path, value } of patch) {
    const keys = path.split('/').slice(1, -1);
    const list = keys.reduce<unknown>((tree, key) => (tree as Tree)[key], merge);
    (list as unknown[]).push(value);
  }
  return { ...merge, jetstream: jetstream.merge, leafnodes: leafnodes.merge ?? {} };
}

/** Strings in `<< >>` are not quoted; the other text of JSON is valid in this language. */
function textOf(config: Tree): string {
  return JSON.stringify(config, undefined, 1).replaceAll(/"<< (.*?) >>"/g, '$1');
}

/**
 * Starts the brokers of two regions by the values for the chart of NATS: one server each, without
 * TLS. The second one follows the first.
 *
 * @param issuer public key of the account that admits producers
 */
export async function startMirroredBrokers(
  t: TestContext,
  issuer: string,
): Promise<{ primary: Site; recovery: Site }> {
  const leafPort = await findFreePort();
  const secret = `p${randomBytes(12).toString('hex')}`;
  const [primary, recovery] = [
    configOf('charts/nats/mirrored.yaml'),
    configOf('charts/nats/mirror.yaml'),
  ];
  const { remotes } = recovery['leafnodes'] as { remotes: Tree[] };
  for (const remote of remotes) delete remote['tls'];
  (primary['leafnodes'] as Tree)['listen'] = `127.0.0.1:${leafPort}`;
  const first = await startSite(t, primary, issuer, {
    POSTHORN_NATS_PASSWORD_MIRROR: secret,
  });
  const second = await startSite(t, recovery, issuer, {
    POSTHORN_NATS_MIRROR_URL: `"nats://posthorn-mirror:${secret}@127.0.0.1:${leafPort}"`,
  });
  return { primary: first, recovery: second };
}

async function startSite(
  t: TestContext,
  config: Tree,
  issuer: string,
  env: Record<string, string>,
): Promise<Site> {
  const dir = await tempDir(t);
  const port = await findFreePort();
  const passwords = new Map(natsUsers.map((user) => [user, `p${randomBytes(12).toString('hex')}`]));
  const { authorization, jetstream } = config as {
    authorization: { auth_callout: Tree };
    jetstream: Tree;
  };
  authorization.auth_callout['issuer'] = issuer;
  jetstream['store_dir'] = dir;
  const path = join(dir, 'nats.conf');
  await writeFile(path, textOf({ ...config, listen: `127.0.0.1:${port}`, max_payload: 8_388_608 }));
  const variables = [...passwords].map(([user, text]) => `${passwordVariable(user)}=${text}`);
  for (const [name, text] of Object.entries(env)) variables.push(`${name}=${text}`);
  const server = await ServerProcess.spawn({
    name: 'nats-server',
    binary: await testBinary(natsServer),
    args: ['--config', path],
    launcher: ['env', ...variables],
  });
  t.after(() => server.stop());
  const loginOf: Site['loginOf'] = (user) => ({
    POSTHORN_NATS_USER: natsUserName(user),
    POSTHORN_NATS_PASSWORD: passwords.get(user) as string,
  });
  const login = loginOf('migrate');
  const options = {
    servers: `127.0.0.1:${port}`,
    user: login.POSTHORN_NATS_USER,
    pass: login.POSTHORN_NATS_PASSWORD,
  };
  await waitUntil(
    async () => {
      if (server.ended) throw new Error(server.output);
      return connect(options).then(
        async (nc) => nc.close().then(() => true),
        () => false,
      );
    },
    { what: 'a broker with users', deadlineMs: 30_000 },
  );
  return { url: `nats://127.0.0.1:${port}`, loginOf, kill: () => server.kill('SIGKILL') };
}

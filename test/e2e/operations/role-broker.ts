import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { natsUsersConfig, passwordVariable } from '#infra/nats/access/format-users.ts';
import { type NatsUser, natsUserName, natsUsers } from '#infra/nats/access/role-permissions.ts';
import { findFreePort } from '#src/embedded/free-port.ts';
import { natsServer } from '#src/embedded/program.ts';
import { ServerProcess } from '#src/embedded/server-process.ts';
import { testBinary } from '#testkit/servers.ts';
import { tempDir } from '#testkit/temp-dir.ts';
import { waitUntil } from '#testkit/wait-until.ts';

export interface RoleBroker {
  url: string;
  /** The settings with which a process logs in as a user. */
  loginOf: (user: NatsUser) => { POSTHORN_NATS_USER: string; POSTHORN_NATS_PASSWORD: string };
  /** The lines of the server's log about refused publications and subscriptions. */
  violations: () => string[];
}

/**
 * Starts a nats-server that knows a user for each role, with the rights of that role.
 *
 * @param issuer public key of the account that admits producers
 */
export async function startRoleBroker(
  t: TestContext,
  shards: number,
  issuer: string,
): Promise<RoleBroker> {
  const dir = await tempDir(t);
  const port = await findFreePort();
  const logFile = join(dir, 'nats.log');
  const passwords = new Map(natsUsers.map((user) => [user, `p${randomBytes(12).toString('hex')}`]));
  let users = natsUsersConfig(shards, issuer);
  for (const [user, password] of passwords) {
    users = users.replace(`$${passwordVariable(user)}`, JSON.stringify(password));
  }
  const config = join(dir, 'nats.conf');
  await writeFile(
    config,
    `listen: "127.0.0.1:${port}"
log_file: ${JSON.stringify(logFile)}
max_payload: 8MB
max_pending: 128MB
jetstream { store_dir: ${JSON.stringify(dir)} }
${users}`,
  );
  const binary = await testBinary(natsServer);
  const args = ['--config', config];
  const server = await ServerProcess.spawn({ name: 'nats-server', binary, args });
  t.after(() => server.stop());
  await waitUntil(
    async () => {
      if (server.ended) throw new Error(server.output + readFileSync(logFile, 'utf8'));
      return greets(port);
    },
    { what: 'a broker with users', deadlineMs: 30_000 },
  );
  return {
    url: `nats://127.0.0.1:${port}`,
    loginOf: (user) => ({
      POSTHORN_NATS_USER: natsUserName(user),
      POSTHORN_NATS_PASSWORD: passwords.get(user) as string,
    }),
    violations: () =>
      readFileSync(logFile, 'utf8')
        .split('\n')
        .filter((line) => /violation/i.test(line)),
  };
}

function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('data', (text: Buffer) => {
      socket.destroy();
      resolve(text.includes('"jetstream":true'));
    });
    socket.on('error', () => resolve(false));
  });
}

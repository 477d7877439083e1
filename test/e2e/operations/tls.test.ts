/**
 * A system whose ports serve TLS: producers, the synthetic probe and health checks verify it by the
 * authority.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import type { Role } from '#config/schema.ts';
import { fetchWithoutProxy, type DirectAnswer } from '#infra/http/client/fetch-without-proxy.ts';
import { startRoleProcess } from '#src/app/run/role-process.ts';
import type { Supervised } from '#src/app/run/supervisor.ts';
import { findFreePort } from '#src/embedded/free-port.ts';
import { makeCertificate } from '#testkit/network/certificates.ts';
import { startNatsServer, testMongo } from '#testkit/servers.ts';
import { TEST_KEY } from '#testkit/system.ts';
import { tempDir } from '#testkit/temp-dir.ts';
import { waitUntil } from '#testkit/wait-until.ts';

const DEADLINE_MS = 60_000;
const authority = makeCertificate({ commonName: 'an authority' });

let ports: { http: number; ops: number; probeOps: number; receiver: number };
let processes: Supervised[];

before(async (context) => {
  const t = context as TestContext;
  const dir = await tempDir(t);
  const file = async (name: string, text: string): Promise<string> => {
    await writeFile(join(dir, name), text);
    return join(dir, name);
  };
  const { cert, key } = makeCertificate({ issuer: authority });
  const nats = await startNatsServer();
  t.after(() => nats.dispose());
  const mongo = await testMongo();
  t.after(() => mongo.dispose());
  ports = {
    http: await findFreePort(),
    ops: await findFreePort(),
    probeOps: await findFreePort(),
    receiver: await findFreePort(),
  };
  const common: Record<string, string | undefined> = {
    PATH: process.env['PATH'],
    POSTHORN_NATS_URL: nats.url,
    POSTHORN_MONGODB_URL: mongo.url,
    POSTHORN_MONGODB_DATABASE: mongo.db.databaseName,
    POSTHORN_MASTER_KEY: randomBytes(32).toString('base64'),
    POSTHORN_BOOTSTRAP_KEY: TEST_KEY,
    POSTHORN_SHARDS: '1',
    POSTHORN_LOG_LEVEL: 'error',
    POSTHORN_HTTP_CERTIFICATE_PATH: await file('tls.crt', cert),
    POSTHORN_HTTP_KEY_PATH: await file('tls.key', key),
    POSTHORN_PROBE_INTERVAL_MS: '500',
    POSTHORN_PROBE_INGRESS_URL: `https://localhost:${ports.http}`,
    POSTHORN_PROBE_RECEIVER_URL: `http://127.0.0.1:${ports.receiver}`,
    POSTHORN_PROBE_CA_PATH: await file('ca.crt', authority.cert),
    POSTHORN_HTTP_PORT: String(ports.http),
  };
  const start = (roles: Role[], opsPort: number): Promise<Supervised> =>
    startRoleProcess(roles, { ...common, POSTHORN_OPS_PORT: String(opsPort) });
  processes = [
    await start(['ingress', 'control', 'router', 'delivery'], ports.ops),
    await start(['probe'], ports.probeOps),
  ];
});
after(() => Promise.all(processes.map((one) => one.stop())));

/** Asks a port of the system, and verifies its certificate. */
const ask = (port: number, path: string, ca = authority.cert): Promise<DirectAnswer> =>
  fetchWithoutProxy(`https://localhost:${port}${path}`, { ca, timeoutMs: 10_000 });

test('the probe publishes through ingress and receives its webhooks when all ports serve TLS', async () => {
  const rounds = /^posthorn_probe_rounds_total\{[^}]*result="succeeded"[^}]*\} (\d+)$/m;
  await waitUntil(
    async () => Number(rounds.exec((await ask(ports.probeOps, '/metrics')).text)?.[1] ?? 0) >= 2,
    { what: 'two rounds', deadlineMs: DEADLINE_MS, intervalMs: 100 },
  );
  assert.equal((await ask(ports.ops, '/readyz')).status, 200);
  assert.equal((await ask(ports.http, '/health')).status, 200);
});

test('a client refuses the system when it trusts another authority', async () => {
  const other = makeCertificate({ commonName: 'another authority' });
  await assert.rejects(ask(ports.http, '/health', other.cert), /fetch failed/);
});

test('no port answers a client without TLS', async () => {
  for (const port of [ports.http, ports.ops, ports.probeOps]) {
    await assert.rejects(
      fetchWithoutProxy(`http://localhost:${port}/livez`, { timeoutMs: 10_000 }),
    );
  }
});

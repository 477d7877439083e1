import assert from 'node:assert/strict';
import { test } from 'node:test';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { ConfigError } from '#domain/errors.ts';
import { connectNats } from '#infra/nats/connection.ts';
import type { NatsLogin } from '#infra/nats/login.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { findFreePort } from '#src/embedded/free-port.ts';
import { startNatsServer } from '#testkit/servers.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { startTlsBroker } from './tls-broker.ts';

const LOGIN = { user: 'posthorn', password: 'right' };

interface Line {
  level: string;
  name: string;
  code?: string;
  error?: string;
}

function keptLog(): { log: Log; lines: Line[] } {
  const lines: Line[] = [];
  const at = (level: string) => (facts: object, name: string) => {
    lines.push({ level, name, ...facts });
  };
  const log = { warn: at('warn'), error: at('error') } as unknown as Log;
  return { log, lines };
}

async function refused(url: string, login: NatsLogin = LOGIN): Promise<string> {
  const { log, lines } = keptLog();
  const connected = connectNats(url, 'test', log, login);
  const error = await connected.then(
    (nc) => nc.close().then(() => undefined),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ConfigError, `${String(error)} ${JSON.stringify(lines)}`);
  const [fault = ''] = error.faults;
  const { level, name, code, error: stated } = lines.at(-1) as Line;
  assert.deepEqual([level, name, code], ['error', 'nats.refused', 'POSTHORN_NATS_UNAVAILABLE']);
  assert.equal(stated, fault);
  return fault;
}

test('the first connect reports and fails on an unknown authority, another name and a wrong password', async (t) => {
  const { port, authority } = await startTlsBroker(t, LOGIN);
  const fault = await refused(`tls://localhost:${port}`);
  assert.match(fault, /^POSTHORN_NATS_URL: .*unknown authority.*NODE_EXTRA_CA_CERTS/);
  const known = getCACertificates('default');
  t.after(() => setDefaultCACertificates(known));
  const elsewhere = await startTlsBroker(t, LOGIN, 'elsewhere');
  setDefaultCACertificates([elsewhere.authority]);
  const named = await refused(`tls://localhost:${elsewhere.port}`);
  assert.match(named, /^POSTHORN_NATS_URL: .*for another name/);
  setDefaultCACertificates([authority]);
  const wrong = await refused(`tls://localhost:${port}`, { ...LOGIN, password: 'wrong' });
  assert.match(
    wrong,
    /^POSTHORN_NATS_USER, POSTHORN_NATS_PASSWORD: .*rejects this user or password/,
  );
  const nobody = await refused(`tls://localhost:${port}`, {});
  assert.match(nobody, /^POSTHORN_NATS_USER: .*without a user/);
  const nc = await connectNats(`tls://localhost:${port}`, 'test', keptLog().log, LOGIN);
  await nc.close();
});

test('the client does not log in to a server without TLS when TLS is required', async (t) => {
  const nats = await startNatsServer();
  t.after(() => nats.dispose());
  const fault = await refused(nats.url.replace('nats://', 'tls://'));
  assert.match(fault, /^POSTHORN_NATS_URL: requests TLS/);
});

test('the first connect waits for a server that is down, and logs it', async (t) => {
  const port = await findFreePort();
  const { log, lines } = keptLog();
  const connected = connectNats(`nats://user:secret@127.0.0.1:${port}`, 'test', log);
  await waitUntil(() => lines.length > 1, { what: 'two lines', deadlineMs: 30_000 });
  for (const line of lines) {
    assert.equal(line.level, 'warn');
    assert.equal(line.name, 'nats.not_connected');
    assert.equal(line.code, 'POSTHORN_NATS_UNAVAILABLE');
    assert.match(JSON.stringify(line), new RegExp(`nats://127.0.0.1:${port}`));
    assert.doesNotMatch(JSON.stringify(line), /secret/);
  }
  const nats = await startNatsServer({ port });
  t.after(() => nats.dispose());
  const nc = await connected;
  assert.equal(nc.isClosed(), false);
  await nc.close();
});

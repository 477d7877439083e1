/** docs/operations/region-loss.md: the streams of a lost region are in the mirrors of another. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import type { Role } from '#config/schema.ts';
import { AccountKey, newAccountSeed } from '#src/ingress/auth-callout/account-key.ts';
import { findFreePort } from '#src/embedded/free-port.ts';
import { startRoleProcess } from '#src/app/run/role-process.ts';
import type { Supervised } from '#src/app/run/supervisor.ts';
import { startMongod } from '#testkit/servers.ts';
import { TEST_KEY } from '#testkit/system.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { WebhookReceiver } from '#testkit/webhook-receiver.ts';
import { inboxPrefixOf, subjects } from '#wire/subjects.ts';
import { type Site, startMirroredBrokers } from './mirrored-brokers.ts';

const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));
const ROLES = ['ingress', 'router', 'delivery', 'control'] as const;
const WAITING = 20;
const LARGE_BYTES = 3_000_000;
/** Longer than the rest of the test: an attempt that waits for an answer ends with its region. */
const TIMEOUT_MS = 60_000;

type Command = readonly ['migrate' | 'mirror' | 'promote', ...string[]];
type Environment = Record<string, string>;

/** Runs a command of the program, with the rights of the migration. */
async function posthorn(site: Site, common: Environment, command: Command): Promise<string> {
  const env = { ...common, POSTHORN_NATS_URL: site.url, ...site.loginOf('migrate') };
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, ...command], { env });
  return stdout;
}

/** Every role on a site, each in a process with its own user of NATS. */
class Posthorn {
  private readonly processes = new Map<Role, Supervised>();
  private url = '';

  static async start(t: TestContext, site: Site, common: Environment): Promise<Posthorn> {
    const made = new Posthorn();
    t.after(() => made.kill());
    for (const role of ROLES) {
      const [httpPort, opsPort] = [await findFreePort(), await findFreePort()];
      const process = await startRoleProcess([role], {
        ...common,
        ...site.loginOf(role),
        POSTHORN_NATS_URL: site.url,
        POSTHORN_HTTP_PORT: String(httpPort),
        POSTHORN_OPS_PORT: String(opsPort),
      });
      made.processes.set(role, process);
      if (role === 'control') made.control = `http://127.0.0.1:${httpPort}`;
      if (role === 'ingress') made.url = `http://127.0.0.1:${httpPort}`;
      made.ready.push(`http://127.0.0.1:${opsPort}/readyz`);
    }
    for (const url of made.ready) {
      await waitUntil(async () => (await fetch(url)).ok, { what: url, deadlineMs: 60_000 });
    }
    return made;
  }

  private control = '';
  private readonly ready: string[] = [];

  /** As a loss of the region does: nothing is finished. */
  async kill(): Promise<void> {
    await Promise.all([...this.processes.values()].map((process) => process.kill('SIGKILL')));
    this.processes.clear();
  }

  async api(method: string, path: string, body?: object): Promise<Record<string, unknown>> {
    const base = path.endsWith('/events') && method === 'POST' ? this.url : this.control;
    const response = await fetch(base + path, {
      method,
      headers: { authorization: `Bearer ${TEST_KEY}`, 'content-type': 'application/json' },
      body: body === undefined ? null : JSON.stringify(body),
    });
    const text = await response.text();
    assert.ok(response.ok, `${method} ${path}: ${response.status} ${text}`);
    return JSON.parse(text) as Record<string, unknown>;
  }

  async publish(id: string, type: string, more: object = {}): Promise<void> {
    await this.api('POST', '/v1/tenants/acme/events', { id, type, data: { id, ...more } });
  }

  async statusOf(event: string): Promise<unknown> {
    const { data } = await this.api('GET', `/v1/tenants/acme/events/${event}/deliveries`);
    return (data as { status: string }[])[0]?.status;
  }
}

/** The webhook ids of the requests to a path, without the first ones. */
const idsAt = (receiver: WebhookReceiver, path: string, from = 0): Set<string> =>
  new Set(
    receiver
      .at(path)
      .slice(from)
      .map(({ headers }) => String(headers['webhook-id'])),
  );

/** Subscribes to requests that control sends to every process. */
async function lifeViews(
  t: TestContext,
  site: Site,
): Promise<{ nc: NatsConnection; received: () => number }> {
  const { POSTHORN_NATS_USER: user, POSTHORN_NATS_PASSWORD: pass } = site.loginOf('control');
  const inboxPrefix = inboxPrefixOf(['control']);
  const nc = await connect({ servers: site.url, user, pass, inboxPrefix });
  t.after(() => nc.close());
  const subscription = nc.subscribe(subjects.lifeView('*'), { callback: () => undefined });
  await nc.flush();
  return { nc, received: () => subscription.getReceived() };
}

test(
  'every mirrored event is delivered from the recovery region when the primary one is killed',
  { timeout: 400_000 },
  async (t) => {
    const receiver = await WebhookReceiver.start();
    t.after(() => receiver.close());
    const mongod = await startMongod();
    t.after(() => mongod.dispose());
    const seed = newAccountSeed();
    const { primary, recovery } = await startMirroredBrokers(t, new AccountKey(seed).publicKey);
    const common: Environment = {
      PATH: String(process.env['PATH']),
      POSTHORN_MONGODB_URL: mongod.url,
      POSTHORN_SHARDS: '2',
      POSTHORN_MASTER_KEY: randomBytes(32).toString('base64'),
      POSTHORN_BOOTSTRAP_KEY: TEST_KEY,
      POSTHORN_NATS_AUTH_SEED: seed,
      POSTHORN_EGRESS_ALLOW: '127.0.0.0/8',
      POSTHORN_HTTP_HOST: '127.0.0.1',
      POSTHORN_DELIVERY_TIMEOUT_MS: String(TIMEOUT_MS),
      POSTHORN_LOG_LEVEL: 'fatal',
    };
    await posthorn(primary, common, ['migrate']);
    const lost = await Posthorn.start(t, primary, common);
    const silent = await posthorn(recovery, common, ['mirror', '--of', 'primary']);
    assert.match(silent, /^EV-1: 0 messages, 0 behind, last contact [\d.]+ s ago$/m);
    for (const command of [['migrate'], ['promote', '--from', 'yesterday']] as Command[]) {
      await assert.rejects(posthorn(recovery, common, command), /is a mirror|--from: must be/);
    }

    await lost.api('PUT', '/v1/tenants/acme', { name: 'Acme' });
    for (const type of ['early', 'late', 'large']) {
      const url = receiver.url(`/${type}`);
      await lost.api('POST', '/v1/tenants/acme/endpoints', { url, event_types: [type] });
    }
    const crossed = await lifeViews(t, recovery);
    const local = await lifeViews(t, primary);
    for (const id of ['req_1', 'req_2']) local.nc.publish(subjects.lifeView(id));
    await lost.publish('early', 'early');
    await receiver.waitFor(1, '/early');
    await waitUntil(async () => (await lost.statusOf('early')) === 'delivered', {
      what: 'early in the history',
      deadlineMs: 30_000,
    });
    const from = new Date().toISOString();
    // The answers are late, so that every first attempt starts before the circuit opens.
    receiver.on('/late', { delayMs: 5000, status: 503 });
    receiver.on('/large', { delayMs: TIMEOUT_MS, status: 204 });
    const waiting = Array.from({ length: WAITING }, (_, i) => `late-${i}`);
    await Promise.all(waiting.map((id) => lost.publish(id, 'late')));
    await lost.publish('large', 'large', { text: 'x'.repeat(LARGE_BYTES) });
    await waitUntil(() => idsAt(receiver, '/late').size === WAITING, {
      what: 'an attempt of each delivery',
      deadlineMs: 60_000,
    });
    await receiver.waitFor(1, '/large');
    const sent = idsAt(receiver, '/late');

    const isCopied = async (): Promise<boolean> => {
      const lines = (await posthorn(recovery, common, ['mirror', '--of', 'primary'])).split('\n');
      const count = (name: string): number =>
        lines
          .filter((line) => line.startsWith(name))
          .reduce((sum, line) => sum + Number(/: (\d+)/.exec(line)?.[1]), 0);
      return (
        count('EV-') === WAITING + 2 && count('OBJ_') > 1 && !/[1-9]\d* behind/.test(lines.join())
      );
    };
    await waitUntil(isCopied, { what: 'every event in the mirrors', deadlineMs: 60_000 });
    // The link has carried every later event: the requests would have arrived before.
    await crossed.nc.flush();
    assert.equal(local.received(), 2);
    assert.equal(crossed.received(), 0, 'requests stay on their site');
    await Promise.all([lost.kill(), primary.kill()]);
    receiver.on('/late', { status: 204 }).on('/large', { status: 204 });
    await waitUntil(
      () =>
        posthorn(recovery, common, ['mirror', '--of', 'primary']).then(
          () => false,
          (error: { stderr: string }) => /no sign of life of the domain primary/.test(error.stderr),
        ),
      { what: 'a fault of the check', deadlineMs: 120_000 },
    );

    const printed = await posthorn(recovery, common, ['promote', '--from', from]);
    assert.match(printed, /^EV-0: \d+ messages, read from /m);
    await assert.rejects(
      posthorn(recovery, common, ['promote', '--from', from]),
      /is not a mirror/,
    );
    await assert.rejects(posthorn(recovery, common, ['mirror', '--of', 'primary']), /in use/);
    await posthorn(recovery, common, ['migrate']);
    const before = receiver.at('/late').length;
    const taken = await Posthorn.start(t, recovery, common);
    const again = (): Set<string> => idsAt(receiver, '/late', before);
    await waitUntil(() => again().size >= WAITING, {
      what: 'each delivery again',
      deadlineMs: 60_000,
    });
    await receiver.waitFor(2, '/large', 60_000);
    await waitUntil(async () => (await taken.statusOf('large')) === 'delivered', {
      what: 'large in the history',
      deadlineMs: 60_000,
    });
    assert.deepEqual(again(), sent, 'the same webhook ids');
    assert.equal(receiver.at('/large')[1]?.body.length, receiver.at('/large')[0]?.body.length);
    assert.equal(receiver.at('/early').length, 1, 'delivered before the time, and not again');
    await taken.publish('new', 'early');
    await receiver.waitFor(2, '/early');
  },
);

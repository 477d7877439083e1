/**
 * docs/operations/secrets.md: keys of the installation are changed while the system keeps working.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { execFile } from 'node:child_process';
import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { Webhook } from 'standardwebhooks';
import { tempDir } from '#testkit/temp-dir.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { WebhookReceiver } from '#testkit/webhook-receiver.ts';
import { type Banner, PosthornProcess, sendPrinted } from '../posthorn-process.ts';

async function api(banner: Banner, method: string, path: string, body?: object): Promise<Response> {
  return fetch(banner.apiUrl + path, {
    method,
    headers: { authorization: `Bearer ${banner.key}`, 'content-type': 'application/json' },
    body: body === undefined ? null : JSON.stringify(body),
  });
}

function publish(banner: Banner, id: string): Promise<Response> {
  return api(banner, 'POST', '/v1/tenants/acme/events', { type: 'a.b', id, data: {} });
}

/**
 * Runs the commands of the page for `npm start`, with the data folder at its default place; returns
 * the settings of the start.
 */
async function changeMasterKey(dataDir: string): Promise<Record<string, string>> {
  const page = await readFile(
    new URL('../../../docs/operations/secrets.md', import.meta.url),
    'utf8',
  );
  const [, commands = ''] = /```sh start\n([\s\S]*?)```/.exec(page) ?? [];
  assert.match(commands, /npm start\n$/);
  const script = commands.replace('npm start', 'env');
  const cwd = join(dataDir, 'place');
  await mkdir(cwd, { recursive: true });
  await symlink(dataDir, join(cwd, '.posthorn')).catch(() => undefined);
  const { stdout } = await promisify(execFile)('bash', ['-euc', script], { cwd });
  const [, value = ''] = /^POSTHORN_MASTER_KEYS_OTHER=(.+)$/m.exec(stdout) ?? [];
  return { POSTHORN_MASTER_KEYS_OTHER: value };
}

test(
  'rotation replaces the bootstrap key, the NATS password and seed, and the master key',
  { timeout: 600_000 },
  async (t) => {
    const dir = await tempDir(t);
    const start = async (
      env: Record<string, string> = {},
    ): Promise<{ system: PosthornProcess; banner: Banner }> => {
      const system = new PosthornProcess(dir, env);
      t.after(() => system.end());
      return { system, banner: await system.banner() };
    };
    const first = await start();
    const receiver = await WebhookReceiver.start();
    t.after(() => receiver.close());
    await api(first.banner, 'PUT', '/v1/tenants/acme', {});
    const made = await api(first.banner, 'POST', '/v1/tenants/acme/endpoints', {
      url: receiver.url('/hook'),
    });
    const { id: endpoint, secret } = (await made.json()) as { id: string; secret: string };
    const { id } = await sendPrinted(first.banner);
    await waitUntil(() => first.system.stdout.includes(`${id} signature valid`));
    await first.system.end();

    const keysFile = join(dir, 'keys.json');
    const keys = JSON.parse(await readFile(keysFile, 'utf8')) as Record<string, string>;
    const bootstrap_key = `phk_${randomBytes(24).toString('hex')}`;
    await writeFile(keysFile, JSON.stringify({ ...keys, bootstrap_key }, null, 2));
    await rm(join(dir, 'nats-access.json'));
    const second = await start();
    assert.equal(second.banner.key, bootstrap_key);
    const old = await api({ ...second.banner, key: first.banner.key }, 'GET', '/v1/tenants');
    assert.equal(old.status, 401);
    const other = await sendPrinted(second.banner);
    await waitUntil(() => second.system.stdout.includes(`${other.id} signature valid`));
    await second.system.end();

    const others = await changeMasterKey(dir);
    const third = await start(others);
    const sealed = /endpoints sealed under the master key: [1-9]/;
    // It arrives through another pipe than the banner.
    await waitUntil(() => sealed.test(third.system.stderr), { what: String(sealed) });
    await third.system.end();
    // The old key is no longer needed, and the receivers' secrets are unchanged.
    const fourth = await start();
    await publish(fourth.banner, 'under-another-key');
    const again = await sendPrinted(fourth.banner);
    await waitUntil(() => fourth.system.stdout.includes(`${again.id} signature valid`));
    const [request] = await receiver.waitFor(1, '/hook', 30_000);
    new Webhook(secret).verify(request?.body ?? '', request?.headers ?? {});
    await fourth.system.end();

    // A lost key: its secrets cannot be opened, and no webhook is sent, but none is lost.
    await changeMasterKey(dir);
    const fifth = await start();
    await publish(fifth.banner, 'under-a-lost-key');
    await waitUntil(() => fifth.system.stderr.includes('delivery.turn_failed'), {
      what: 'a turn that fails',
      deadlineMs: 20_000,
    });
    assert.equal(receiver.requests.length, 1);
    const path = `/v1/tenants/acme/endpoints/${endpoint}/rotate-secret`;
    const rotated = await api(fifth.banner, 'POST', path, { overlap_seconds: 0 });
    assert.equal(rotated.status, 200);
    await publish(fifth.banner, 'under-a-new-secret');
    const { secret: next } = (await rotated.json()) as { secret: string };
    for (const { body, headers } of (await receiver.waitFor(3, '/hook', 30_000)).slice(1)) {
      new Webhook(next).verify(body, headers);
    }
  },
);

/** docs/operations/secrets.md: keys of the installation are changed, and the system works on. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { tempDir } from '#testkit/temp-dir.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { WebhookReceiver } from '#testkit/webhook-receiver.ts';
import { type Banner, PosthornProcess, sendPrinted } from './posthorn-process.ts';

async function api(banner: Banner, method: string, path: string, body?: object): Promise<Response> {
  return fetch(banner.apiUrl + path, {
    method,
    headers: { authorization: `Bearer ${banner.key}`, 'content-type': 'application/json' },
    body: body === undefined ? null : JSON.stringify(body),
  });
}

test('bootstrap key, NATS password and seed, and master key', { timeout: 180_000 }, async (t) => {
  const dir = await tempDir(t);
  const start = async (): Promise<{ system: PosthornProcess; banner: Banner }> => {
    const system = new PosthornProcess(dir);
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
  const { id: endpoint } = (await made.json()) as { id: string };
  const { id } = await sendPrinted(first.banner);
  await waitUntil(() => first.system.stdout.includes(`${id} signature valid`));
  await first.system.end();

  const keysFile = join(dir, 'keys.json');
  const keys = JSON.parse(await readFile(keysFile, 'utf8')) as Record<string, string>;
  const bootstrap_key = `phk_${randomBytes(24).toString('hex')}`;
  await writeFile(keysFile, JSON.stringify({ ...keys, bootstrap_key }));
  await rm(join(dir, 'nats-access.json'));
  const second = await start();
  assert.equal(second.banner.key, bootstrap_key);
  const old = await api({ ...second.banner, key: first.banner.key }, 'GET', '/v1/tenants');
  assert.equal(old.status, 401);
  const next = await sendPrinted(second.banner);
  await waitUntil(() => second.system.stdout.includes(`${next.id} signature valid`));
  await second.system.end();
  const master_key = randomBytes(32).toString('base64');
  await writeFile(keysFile, JSON.stringify({ ...keys, bootstrap_key, master_key }));
  const third = await start();
  const publish = (id: string) =>
    api(third.banner, 'POST', '/v1/tenants/acme/events', { type: 'a.b', id, data: {} });
  await publish('under-another-key');
  // The signing secret that the old key sealed cannot be opened: nothing is sent, and nothing is lost.
  await waitUntil(() => third.system.stderr.includes('delivery.turn_failed'), {
    what: 'a turn that fails',
    deadlineMs: 20_000,
  });
  assert.equal(receiver.requests.length, 0);
  const path = `/v1/tenants/acme/endpoints/${endpoint}/rotate-secret`;
  const rotated = await api(third.banner, 'POST', path, { overlap_seconds: 0 });
  assert.equal(rotated.status, 200);
  await publish('under-a-new-secret');
  const { secret } = (await rotated.json()) as { secret: string };
  for (const request of await receiver.waitFor(2, '/hook', 30_000)) {
    new Webhook(secret).verify(request.body, request.headers);
  }
});

import assert from 'node:assert/strict';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { ReceivedWebhook } from '#src/app/demo/demo-page.ts';
import { commandLine } from '#src/embedded/stale-server.ts';
import { childrenOf, isRunning } from '../../kit/processes/child-processes.ts';
import { untilStopped } from '#testkit/processes/pause-process.ts';
import { tempDir } from '#testkit/temp-dir.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { type Banner, PosthornProcess, sendPrinted } from '../posthorn-process.ts';

async function receivedAt(banner: Banner): Promise<ReceivedWebhook[]> {
  const response = await fetch(new URL('/requests', banner.receiverUrl));
  return ((await response.json()) as { requests: ReceivedWebhook[] }).requests;
}

function roleProcess(start: PosthornProcess): number | undefined {
  return childrenOf(start.pid).find((pid) => commandLine(pid)?.includes('main.ts run'));
}

test('a start delivers a signed webhook for the printed curl, stops, and starts again', async (t) => {
  const dir = await tempDir(t);
  const first = new PosthornProcess(dir);
  t.after(() => first.end());
  const banner = await first.banner();
  const { id } = await sendPrinted(banner);
  const line = `webhook received: demo.greeting ${id} signature valid`;
  await waitUntil(() => first.stdout.includes(line), { what: line });
  const [webhook] = await receivedAt(banner);
  assert.equal(webhook?.id, id);
  assert.equal(webhook.signature_valid, true);
  assert.deepEqual((JSON.parse(webhook.body) as { data: unknown }).data, { hello: 'world' });
  assert.match(await (await fetch(banner.receiverUrl)).text(), /signature valid/);

  await t.test('rejects a second start in the same folder', async () => {
    const second = new PosthornProcess(dir);
    assert.equal(await second.exitCode, 78);
    assert.ok(
      second.stderr.includes(`${dir} is in use by another posthorn (process ${first.pid})`),
    );
  });

  await t.test('rejects a start on an HTTP port in use with the name of the setting', async () => {
    const { port } = new URL(banner.apiUrl);
    const second = new PosthornProcess(await tempDir(t), { POSTHORN_HTTP_PORT: port });
    assert.equal(await second.exitCode, 78);
    assert.match(second.stderr, new RegExp(`POSTHORN_HTTP_PORT: port ${port} on .* is taken`));
  });

  await t.test('rejects a start on a NATS port in use with the name of the setting', async () => {
    const { port } = new URL(banner.natsUrl);
    const second = new PosthornProcess(await tempDir(t), { POSTHORN_NATS_PORT: port });
    assert.equal(await second.exitCode, 78, second.stderr);
    assert.match(second.stderr, new RegExp(`POSTHORN_NATS_PORT: port ${port} on .* is taken`));
  });

  await t.test('a killed role process is restarted', async () => {
    const pid = roleProcess(first) as number;
    process.kill(pid, 'SIGKILL');
    await waitUntil(() => roleProcess(first) !== undefined && roleProcess(first) !== pid);
    const next = await waitUntil(() => sendPrinted(banner), { deadlineMs: 20_000 });
    await waitUntil(async () => (await receivedAt(banner)).some((seen) => seen.id === next.id));
  });

  const children = childrenOf(first.pid);
  assert.ok(children.length >= 3);
  first.child.kill('SIGINT');
  assert.equal(await first.exitCode, 0);
  await waitUntil(() => !children.some(isRunning), { what: 'every child to have ended' });
  assert.deepEqual((await readdir(dir)).toSorted(), [
    'demo.json',
    'keys.json',
    'mongod',
    'nats-access.json',
    'nats-server',
    'posthorn.lock',
  ]);
  assert.equal((await stat(join(dir, 'demo.json'))).mode & 0o777, 0o600);

  const again = new PosthornProcess(dir);
  t.after(() => again.end());
  const later = await again.banner();
  assert.equal(later.key, banner.key);
  const headers = { authorization: `Bearer ${later.key}` };
  const endpoints = await fetch(`${later.apiUrl}/v1/tenants/demo/endpoints`, { headers });
  assert.equal(((await endpoints.json()) as { data: unknown[] }).data.length, 1);
  const kept = await fetch(`${later.apiUrl}/v1/tenants/demo/events/${id}`, { headers });
  assert.equal(kept.status, 200);
  const one = await sendPrinted(later);
  await waitUntil(async () => (await receivedAt(later)).some((seen) => seen.id === one.id));
  assert.ok((await receivedAt(later)).every((seen) => seen.signature_valid));
  again.child.kill('SIGTERM');
  assert.equal(await again.exitCode, 0);
});

test('a killed start leaves no process, and the next start takes over', async (t) => {
  const dir = await tempDir(t);
  const killed = new PosthornProcess(dir);
  t.after(() => killed.end());
  await killed.banner();
  const children = childrenOf(killed.pid);
  killed.child.kill('SIGKILL');
  const next = new PosthornProcess(dir);
  t.after(() => next.end());
  const { id } = await sendPrinted(await next.banner());
  await waitUntil(() => next.stdout.includes(`${id} signature valid`), { what: 'the webhook' });
  // The role process may use its whole shutdown deadline: it has lost its NATS too.
  await waitUntil(() => !children.some(isRunning), {
    what: 'every child to have ended',
    deadlineMs: 20_000,
  });
});

test('a second signal ends a start that does not stop', async (t) => {
  const start = new PosthornProcess(await tempDir(t));
  t.after(() => start.end());
  await start.banner();
  const children = childrenOf(start.pid);
  const paused = roleProcess(start) as number;
  process.kill(paused, 'SIGSTOP');
  await untilStopped(paused);
  start.child.kill('SIGINT');
  await waitUntil(() => !start.child.kill('SIGINT'), { intervalMs: 50 });
  assert.equal(await start.exitCode, 130);
  await waitUntil(() => !children.some(isRunning), { what: 'every child to have ended' });
});

test('rejects a wrong setting with its name and exit code 78', async (t) => {
  const dir = await tempDir(t);
  const start = new PosthornProcess(dir, { POSTHORN_HTTP_PROT: '1' });
  assert.equal(await start.exitCode, 78);
  assert.equal(start.stderr, 'posthorn: POSTHORN_HTTP_PROT: unknown setting\n');
  assert.deepEqual(await readdir(dir), []);
});

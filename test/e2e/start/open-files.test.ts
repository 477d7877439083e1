/**
 * With few descriptors (`ulimit -n`), more receivers than descriptors still get their webhooks,
 * none by a second attempt.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { makeTempDir } from '#testkit/temp-dir.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { PosthornProcess } from '../posthorn-process.ts';

const DESCRIPTORS_MAX = 256;
/**
 * Each has an endpoint, which may have 64 attempts in flight: in total more than the descriptors.
 */
const TENANTS = 6;
const EVENTS_EACH = 50;
const DEADLINE = { deadlineMs: 90_000, intervalMs: 100 };

const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));
const limited = (limit: number): [string, ...string[]] => {
  const script = `ulimit -n ${limit} && exec "$@"`;
  return ['sh', '-c', script, 'sh', process.execPath, MAIN, 'start'];
};

test('every delivery to a healthy receiver has one attempt when descriptors run out', async (t) => {
  const dir = await makeTempDir();
  const posthorn = new PosthornProcess(dir.path, {}, limited(DESCRIPTORS_MAX));
  /** Responses that are delayed, so that each request keeps its connection. */
  const held: ServerResponse[] = [];
  const got = new Map<string, number>();
  let isOpen = false;
  const receiver = createServer((request, response) => {
    const id = String(request.headers['webhook-id']);
    got.set(id, (got.get(id) ?? 0) + 1);
    request.resume();
    if (isOpen) response.end();
    else held.push(response);
  }).listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  t.after(async () => {
    await posthorn.end();
    receiver.close();
    receiver.closeAllConnections();
    await dir.remove();
  });
  const { port } = receiver.address() as AddressInfo;
  const { apiUrl, key } = await posthorn.banner();
  const api = async (method: string, path: string, body?: object): Promise<object> => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    const json = body === undefined ? {} : { headers, body: JSON.stringify(body) };
    const response = await fetch(apiUrl + path, { method, headers, ...json });
    assert.ok(response.ok, `${method} ${path}: ${response.status}`);
    return (await response.json()) as object;
  };
  const tenants = Array.from({ length: TENANTS }, (_, n) => `t${n}`);
  for (const tenant of tenants) {
    await api('PUT', `/v1/tenants/${tenant}`, {});
    await api('POST', `/v1/tenants/${tenant}/endpoints`, { url: `http://127.0.0.1:${port}/` });
  }
  const events = Array.from({ length: EVENTS_EACH }, () => ({ type: 'a.b', data: 1 }));
  for (const tenant of tenants) {
    await api('POST', `/v1/tenants/${tenant}/events/batch`, { events });
  }

  // Each of them keeps a connection until then.
  const log = (): string => posthorn.stdout + posthorn.stderr;
  await waitUntil(() => /"fault":"descriptors".*"delivery\.local_fault"/.test(log()), DEADLINE);
  isOpen = true;
  for (const response of held) response.end();
  await waitUntil(() => got.size === TENANTS * EVENTS_EACH, { what: 'every webhook', ...DEADLINE });
  for (const tenant of tenants) {
    const path = `/v1/tenants/${tenant}/deliveries?limit=100`;
    const deliveries = await waitUntil(async () => {
      const { data } = (await api('GET', path)) as { data: Record<string, unknown>[] };
      return data.every(({ status }) => status === 'delivered') && data;
    }, DEADLINE);
    const counts = deliveries.map(({ attempt_count: count }) => count);
    assert.deepEqual(counts, Array(EVENTS_EACH).fill(1));
  }
  assert.match(log(), /"limit":256,.*"process\.open_files_low"/);
});

test('rejects a limit of open files that is too low for mongod with the number it needs', async (t) => {
  const dir = await makeTempDir();
  const posthorn = new PosthornProcess(dir.path, {}, limited(100));
  t.after(async () => {
    await posthorn.end();
    await dir.remove();
  });
  assert.equal(await posthorn.exitCode, 78);
  assert.match(
    posthorn.stderr,
    /the limit of open files \(ulimit -n\) is 100: must be at least 200/,
  );
});

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { systemClock } from '#infra/system-clock.ts';
import { ProbeHttpReceiver } from '#src/probe/receiver.ts';
import { findFreePort } from '#src/embedded/free-port.ts';
import { createSigner } from '#wire/webhook/signature.ts';

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const BODY = Buffer.from('{"type":"posthorn_probe.ping","data":{}}');

async function start(t: TestContext) {
  const url = `http://127.0.0.1:${await findFreePort()}`;
  const arrived: string[] = [];
  const faults: string[] = [];
  const receiver = new ProbeHttpReceiver({
    clock: systemClock,
    url,
    secretOf: (tenant) => (tenant === 'canary' ? SECRET : undefined),
    onWebhook: (tenant, id) => void arrived.push(`${tenant} ${id}`),
    onInvalid: (fault) => void faults.push(fault),
  });
  await receiver.start();
  t.after(() => receiver.stop());
  return { url, arrived, faults };
}

async function send(url: string, id: string, body: Buffer, secret = SECRET): Promise<number> {
  const timestamp = Math.floor(Date.now() / 1000);
  const headers = {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': createSigner(secret)(id, timestamp, BODY),
  };
  const response = await fetch(url, { method: 'POST', headers, body: new Uint8Array(body) });
  return response.status;
}

test('the receiver accepts signed webhooks and rejects another body, secret or path', async (t) => {
  const { url, arrived, faults } = await start(t);
  assert.equal(await send(`${url}/canary`, 'e1', BODY), 204);
  assert.deepEqual(arrived, ['canary e1']);
  const other = `whsec_${Buffer.alloc(32, 8).toString('base64')}`;
  assert.equal(await send(`${url}/canary`, 'e2', BODY, other), 401);
  assert.equal(await send(`${url}/canary`, 'e3', Buffer.from('{}')), 401);
  assert.equal(await send(`${url}/stranger`, 'e4', BODY), 404);
  assert.equal((await fetch(`${url}/canary`)).status, 404);
  assert.equal(await send(`${url}/canary`, 'e5', Buffer.alloc(17 * 1024)), 413);
  assert.deepEqual(arrived, ['canary e1']);
  assert.equal(faults.length, 4);
});

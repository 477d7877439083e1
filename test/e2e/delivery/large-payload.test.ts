/**
 * A large event through the whole system: in full to one endpoint, as a link to another (IN-12).
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { startSystem } from '#testkit/system.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { WebhookReceiver } from '#testkit/webhook-receiver.ts';

const BASE = 'https://posthorn.example.com';

test(
  'an event of 3 MB is delivered inline and by link, and is readable in the history',
  { timeout: 400_000 },
  async (t) => {
    const receiver = await WebhookReceiver.start();
    const layout = [['ingress', 'router'], ['delivery'], ['control']] as const;
    const system = await startSystem(layout, { POSTHORN_PUBLIC_URL: BASE });
    t.after(async () => {
      await system.stop();
      await receiver.close();
    });
    await system.api('PUT', '/v1/tenants/acme', {});
    for (const payload of ['inline', 'url']) {
      const made = await system.api('POST', '/v1/tenants/acme/endpoints', {
        url: receiver.url(`/${payload}`),
        payload,
        filter: { 'data.kind': 'report' },
      });
      assert.equal(made.status, 201, JSON.stringify(made.body));
    }
    const data = { kind: 'report', text: 'ä'.repeat(1_500_000) };
    const event = { id: 'e1', type: 'report.ready', data };
    const accepted = await system.api('POST', '/v1/tenants/acme/events', event);
    assert.equal(accepted.status, 202, JSON.stringify(accepted.body));

    const [whole] = await receiver.waitFor(1, '/inline', 30_000);
    assert.deepEqual((JSON.parse(whole?.body.toString() ?? '') as { data: object }).data, data);

    const [short] = await receiver.waitFor(1, '/url', 30_000);
    const body = JSON.parse(short?.body.toString() ?? '') as {
      data_url: string;
      size: number;
      sha256: string;
    };
    assert.ok(body.data_url.startsWith(BASE));
    const linked = await fetch(system.url('control') + body.data_url.slice(BASE.length));
    assert.equal(linked.status, 200);
    const bytes = Buffer.from(await linked.arrayBuffer());
    assert.equal(bytes.length, body.size);
    assert.equal(createHash('sha256').update(bytes).digest('hex'), body.sha256);
    assert.deepEqual(JSON.parse(bytes.toString()), data);

    const path = '/v1/tenants/acme/events/e1';
    await waitUntil(async () => (await system.api('GET', path)).status === 200, {
      what: 'the event in the history',
    });
    const { payload } = (await system.api('GET', path)).body as { payload: object };
    assert.deepEqual(payload, { size: body.size, sha256: body.sha256 });
    const read = await system.fetch(`${path}/payload`, { method: 'GET' });
    assert.ok(Buffer.from(await read.arrayBuffer()).equals(bytes));
  },
);

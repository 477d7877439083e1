import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { systemClock } from '#infra/system-clock.ts';
import type { ReceivedWebhook } from '#src/app/demo/demo-page.ts';
import { startDemoReceiver } from '#src/app/demo/demo-receiver.ts';

const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

function signed(body: string, at = new Date()): RequestInit {
  return {
    method: 'POST',
    headers: {
      'webhook-id': 'evt_1',
      'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
      'webhook-signature': `v1,old ${new Webhook(secret).sign('evt_1', at, body)}`,
    },
    body,
  };
}

test('the demo receiver verifies, shows and forgets webhooks', async (t) => {
  const lines: string[] = [];
  let known: string | undefined;
  const receiver = await startDemoReceiver({
    clock: systemClock,
    port: 0,
    secret: () => known,
    print: (line) => lines.push(line),
  });
  t.after(() => receiver.close());
  const post = async (init: RequestInit) => (await fetch(receiver.hookUrl, init)).status;
  const body = '{"type":"demo.<b>","data":"\\u001b"}';
  assert.equal(await post(signed(body)), 401);
  known = secret;
  assert.equal(await post(signed(body)), 204);
  assert.equal(await post({ ...signed(body), body: `${body} ` }), 401);
  assert.equal(await post(signed(body, new Date(Date.now() - 400_000))), 401);
  assert.equal(await post({ method: 'POST', body: 'not json \u001b' }), 401);
  assert.deepEqual(lines, [
    'webhook received: demo.<b> evt_1 signature INVALID (the demo endpoint is not there yet)',
    'webhook received: demo.<b> evt_1 signature valid',
    'webhook received: demo.<b> evt_1 signature INVALID (no signature matches)',
    'webhook received: demo.<b> evt_1 signature INVALID (the timestamp is too far off)',
    'webhook received: of no type without id signature INVALID (a webhook- header is missing)',
  ]);
  assert.equal(await post({ ...signed('{"type":"\\u001b[2J"}') }), 204);
  assert.equal(lines.at(-1), 'webhook received: ?[2J evt_1 signature valid');

  const page = await fetch(receiver.url);
  assert.match(page.headers.get('content-security-policy') ?? '', /^default-src 'none'/);
  const html = await page.text();
  assert.ok(html.includes('demo.&lt;b&gt;') && !html.includes('<b>'));
  for (let i = 0; i < 100; i++) await post(signed(`{"type":"n${i}"}`));
  const all = (await (await fetch(new URL('/requests', receiver.url))).json()) as {
    requests: ReceivedWebhook[];
  };
  assert.equal(all.requests.length, 100);
  assert.equal(all.requests[0]?.type, 'n99');
  assert.equal(all.requests[0]?.signature_valid, true);
  assert.equal((await fetch(new URL('/else', receiver.url))).status, 404);
  await assert.rejects(
    startDemoReceiver({
      clock: systemClock,
      port: Number(new URL(receiver.url).port),
      secret: () => known,
      print: () => undefined,
    }),
    /POSTHORN_RECEIVER_PORT.*EADDRINUSE/,
  );
});

/**
 * A fault in a role process is reported to the error service without the data that caused it
 * (OB-7).
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect } from '@nats-io/transport-node';
import { startSystem } from '#testkit/system.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { WebhookReceiver } from '#testkit/webhook-receiver.ts';
import { subjects } from '#wire/subjects.ts';

type Report = Record<string, unknown>;

test('the router reports a damaged event without its bytes', async (t) => {
  const receiver = await WebhookReceiver.start();
  const system = await startSystem([['control'], ['router']], {
    POSTHORN_SENTRY_DSN: `http://key@127.0.0.1:${receiver.port}/7`,
    POSTHORN_SENTRY_ENVIRONMENT: 'stage',
  });
  t.after(async () => {
    await system.stop();
    await receiver.close();
  });
  const nc = await connect({ servers: system.natsUrl });
  nc.publish(subjects.event('acme', 'order.created'), '{"card": 4111-secret}\n{}');
  await nc.drain();
  // The projector in control reports the same event, before or after the router.
  const reported = () =>
    receiver
      .at('/api/7/envelope/')
      .map(({ body }) => body.toString())
      .map((text) => ({ text, event: JSON.parse(text.split('\n')[2] ?? '') as Report }))
      .find(({ event }) => event['logger'] === 'router.undecodable');
  const { text, event } = await waitUntil(reported, {
    what: 'a report of router.undecodable',
    deadlineMs: 30_000,
  });
  assert.equal(event['environment'], 'stage');
  assert.match(JSON.stringify(event['exception']), /SyntaxError.*src\/router\/router\.ts/);
  assert.ok(!text.includes('4111') && !text.includes('secret'), text);
});

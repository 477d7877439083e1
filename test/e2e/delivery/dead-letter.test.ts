import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type System, startSystem } from '#testkit/system.ts';
import { replayDeadLetters } from '../replay-all.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { WebhookReceiver } from '#testkit/webhook-receiver.ts';

interface Listed {
  data: { id: string; reason: string; endpoint_id: string }[];
}

async function start(t: TestContext): Promise<{ system: System; receiver: WebhookReceiver }> {
  const receiver = await WebhookReceiver.start();
  const system = await startSystem([['ingress', 'router', 'delivery', 'control']], {
    POSTHORN_OPERATOR_TENANT: 'operator',
  });
  t.after(async () => {
    await system.stop();
    await receiver.close();
  });
  return { system, receiver };
}

async function newEndpoint(system: System, tenant: string, body: object): Promise<string> {
  const answer = await system.api('POST', `/v1/tenants/${tenant}/endpoints`, body);
  assert.equal(answer.status, 201, JSON.stringify(answer.body));
  return (answer.body as { id: string }).id;
}

test(
  'an endpoint that answers 410 is disabled and reported; held and dead-lettered deliveries are sent later',
  { timeout: 400_000 },
  async (t) => {
    const { system, receiver } = await start(t);
    const url = (path: string): string => receiver.url(path);
    for (const tenant of ['acme', 'operator']) {
      await system.api('PUT', `/v1/tenants/${tenant}`, {});
      const event_types = ['posthorn.*'];
      await newEndpoint(system, tenant, { url: url(`/announced/${tenant}`), event_types });
    }
    receiver.on('/hook', { status: 410 });
    const endpoint = await newEndpoint(system, 'acme', { url: url('/hook') });
    const publish = (id: string) =>
      system.api('POST', '/v1/tenants/acme/events', { id, type: 'a.b', data: { id } });
    await publish('e1');
    const [first] = await receiver.waitFor(1, '/hook');

    // The tenant and the operator are notified of the endpoint and the delivery; the endpoint with
    // `*` is not.
    for (const tenant of ['acme', 'operator']) {
      const received = await receiver.waitFor(2, `/announced/${tenant}`, 20_000);
      const types = received.map(
        ({ body }) => (JSON.parse(body.toString()) as { type: string }).type,
      );
      assert.deepEqual(types.toSorted(), [
        'posthorn.delivery.exhausted',
        'posthorn.endpoint.disabled',
      ]);
    }
    const path = `/v1/tenants/acme/endpoints/${endpoint}`;
    const shown = (await system.api('GET', path)).body as Record<string, unknown>;
    assert.deepEqual([shown['status'], shown['status_reason']], ['disabled', 'gone']);
    await publish('e2');
    await waitUntil(
      async () => {
        const { body } = await system.api('GET', path);
        return (body as { health: { held_count: number } }).health.held_count === 1;
      },
      { what: 'the second event is held', deadlineMs: 20_000, intervalMs: 100 },
    );
    assert.equal(receiver.at('/hook').length, 1);

    receiver.on('/hook', { status: 200 });
    await system.api('PATCH', path, { status: 'active' });
    await receiver.waitFor(2, '/hook', 20_000);
    const letters = await system.api('GET', '/v1/tenants/acme/dead-letters');
    const [letter] = (letters.body as Listed).data;
    assert.equal(letter?.reason, 'gone');
    assert.equal(letter?.endpoint_id, endpoint);
    const api = (method: string, at: string, body?: object) => system.api(method, at, body);
    assert.equal(await replayDeadLetters(api, 'acme'), 1);
    const all = await receiver.waitFor(3, '/hook', 20_000);
    assert.equal(all.at(-1)?.headers['webhook-id'], 'e1');
    assert.deepEqual(all.at(-1)?.body, first?.body);
    // The held and the replayed events, and no operational event.
    assert.deepEqual(
      all.map(({ headers }) => headers['webhook-id']),
      ['e1', 'e2', 'e1'],
    );
  },
);

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DeadLetterDocument, eventKey, historyOf } from '#infra/mongo/documents.ts';
import { type ControlPlane, startControlPlane } from '../control-plane.ts';

const HIDDEN = 'secret.thing';
const VISIBLE = 'order.paid';
const at = new Date(Date.now() - 3_600_000);

/** One event, delivery and dead letter of each type, and one unregistered type. */
async function fill(plane: ControlPlane): Promise<void> {
  const history = historyOf(plane.db);
  for (const [n, type] of [HIDDEN, VISIBLE].entries()) {
    const own = { tenant: 'acme', type, accepted_at: at };
    const event = { id: `evt_${type}`, seq: n + 1, source: '/a', kind: 'json', data: `"${type}"` };
    await history.events.insertOne({
      _id: eventKey('acme', event.id),
      ...own,
      ...event,
      routed: 1,
    } as never);
    const ofEvent = { ...own, event: event.id, endpoint: 'ep_1' };
    const state = { hop: 0, rank: 0, status: 'pending', reason: null, at, next_attempt_at: null };
    await history.deliveries.insertOne({ _id: `dlv_${type}`, ...ofEvent, state } as never);
    const letter = { at, reason: 'exhausted', cause: 'timeout', attempt_count: 3, frame: null };
    await history.deadLetters.insertOne({
      _id: `dlv_${type}`,
      ...ofEvent,
      ...letter,
      last_attempt: null,
      replayed_at: null,
      discarded_at: null,
    } as unknown as DeadLetterDocument);
    await plane.call('PUT', `/v1/event-types/${type}`, {});
    await plane.control.registerEventTypes([{ tenant: 'acme', name: `${type}.auto` }]);
  }
}

interface OpenApi {
  paths: Record<string, Record<string, { operationId: string; requestBody?: object }>>;
}

test('no route shows a caller that sees some event types anything of the others', async (t) => {
  const plane = await startControlPlane(t);
  await plane.call('PUT', '/v1/tenants/acme', {});
  await fill(plane);
  const endpoint = await plane.call('POST', '/v1/tenants/acme/endpoints', {
    url: 'https://e.com/',
    event_types: [VISIBLE],
  });
  const { token } = (
    await plane.call('POST', '/v1/tenants/acme/portal-tokens', {
      capabilities: ['view', 'send_test', 'manage_endpoints', 'view_secret', 'replay'],
      event_types: ['order.*'],
    })
  ).body;
  const { paths } = (await plane.call('GET', '/openapi.json')).body as OpenApi;
  const seen: string[] = [];
  for (const [url, operations] of Object.entries(paths)) {
    if (!url.startsWith('/v1/tenants/{tenant}') && !url.startsWith('/v1/event-types')) continue;
    // Its answer does not end: `test/integration/control/tail`.
    if (url.endsWith('/tail')) continue;
    const path = url
      .replace('{tenant}', 'acme')
      .replace('{endpoint}', endpoint.body.id)
      .replace('{event}', `evt_${HIDDEN}`)
      .replace('{delivery}', `dlv_${HIDDEN}`)
      .replace('{dead_letter}', `dlv_${HIDDEN}`)
      .replace('{name}', HIDDEN)
      .replaceAll(/\{\w+\}/g, 'none');
    for (const [method, { operationId, requestBody }] of Object.entries(operations)) {
      if (method === 'delete' && url.endsWith('/{endpoint}')) continue;
      const body = requestBody === undefined ? undefined : {};
      const answer = await plane.call(method.toUpperCase(), path, body, { key: token });
      const text = answer.text.replaceAll(path, '').replace(/"detail":"[^"]*"/, '');
      assert.ok(!text.includes(HIDDEN), `${operationId}: ${answer.text}`);
      const named = /\{(event|delivery|dead_letter)\}/.test(url);
      if (named) assert.ok([403, 404].includes(answer.status), `${operationId}: ${answer.text}`);
      if (answer.status === 200 && answer.text.includes(VISIBLE)) seen.push(operationId);
    }
  }
  for (const operation of ['listEvents', 'listDeliveries', 'listDeadLetters', 'listEventTypes']) {
    assert.ok(seen.includes(operation), `${operation} shows the visible type: ${seen.join()}`);
  }
  const read = async (path: string) =>
    (await plane.call('GET', `/v1/tenants/acme/${path}`, undefined, { key: token })).status;
  for (const [kind, id] of Object.entries({
    events: 'evt',
    deliveries: 'dlv',
    'dead-letters': 'dlv',
  })) {
    assert.equal(await read(`${kind}/${id}_${VISIBLE}`), 200, kind);
    assert.equal(await read(`${kind}/${id}_${HIDDEN}`), 404, kind);
  }
  // A filter shows no hidden type either.
  const filtered = await plane.call(
    'GET',
    `/v1/tenants/acme/events?event_type=${HIDDEN}`,
    undefined,
    {
      key: token,
    },
  );
  assert.deepEqual(filtered.body.data, []);
});

test('a caller that sees some event types cannot subscribe an endpoint to the others', async (t) => {
  const plane = await startControlPlane(t);
  await plane.call('PUT', '/v1/tenants/acme', {});
  const { token } = (
    await plane.call('POST', '/v1/tenants/acme/portal-tokens', {
      capabilities: ['view', 'manage_endpoints'],
      event_types: ['order.*'],
    })
  ).body;
  const own = (method: string, path: string, body: object) =>
    plane.call(method, `/v1/tenants/acme/${path}`, body, { key: token });
  const url = 'https://e.com/';
  for (const body of [
    { url },
    { url, event_types: ['*'] },
    { url, event_types: [VISIBLE, HIDDEN] },
  ]) {
    const refused = await own('POST', 'endpoints', body);
    assert.equal(refused.status, 403, JSON.stringify(body));
  }
  const made = await own('POST', 'endpoints', { url, event_types: ['order.paid.*'] });
  assert.equal(made.status, 201, made.text);
  const endpoint = { endpoint_id: made.body.id };
  assert.equal((await own('POST', 'subscriptions', endpoint)).status, 403);
  assert.equal(
    (await own('POST', 'subscriptions', { ...endpoint, event_types: ['a'] })).status,
    403,
  );
  const path = `subscriptions/${made.body.subscription_id}`;
  assert.equal((await own('PATCH', path, { event_types: ['order.*', 'a'] })).status, 403);
  const changed = await own('PATCH', path, { event_types: ['order.*'] });
  assert.equal(changed.status, 200, changed.text);
});

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { Collection } from 'mongodb';
import {
  type IdempotentAnswerDocument,
  idempotentAnswersOf,
} from '#infra/mongo/idempotent-answers.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { type Answer, type ControlPlane, startControlPlane } from '../control-plane.ts';

let plane: ControlPlane;
let answers: Collection<IdempotentAnswerDocument>;
const tenant = '/v1/tenants/acme';

before(async (t) => {
  plane = await startControlPlane(t as never);
  answers = idempotentAnswersOf(plane.db);
  await plane.call('PUT', tenant, {});
});

const post = (path: string, body: object | undefined, key: string, by?: string): Promise<Answer> =>
  plane.call('POST', path, body, { headers: { 'idempotency-key': key }, key: by });
const replayed = ({ headers }: Answer) => headers['idempotency-replayed'];
const newKey = (name: string) => ({ scope: 'tenant', tenant_id: 'acme', name });

test('a repeated POST /v1/keys creates one key and gets the same answer', async () => {
  const first = await post('/v1/keys', newKey('one'), 'k1');
  const again = await post('/v1/keys', newKey('one'), '"k1"');
  assert.equal(first.status, 201, first.text);
  assert.equal(again.status, 201, again.text);
  assert.deepEqual(again.body, first.body);
  assert.equal(replayed(first), undefined);
  assert.equal(replayed(again), 'true');
  assert.equal(again.headers['content-type'], first.headers['content-type']);
  assert.equal(await plane.db.collection('api_keys').countDocuments({ name: 'one' }), 1);
});

test('of concurrent requests with one key one runs, and the others get its answer or 409', async () => {
  const all = await Promise.all(
    Array.from({ length: 20 }, () => post('/v1/keys', newKey('burst'), 'k2')),
  );
  for (const { status, body, headers } of all) {
    if (status === 201) continue;
    assert.equal(status, 409);
    assert.equal(body.code, 'POSTHORN_IDEMPOTENCY_KEY_BUSY');
    assert.equal(headers['retry-after'], '1');
  }
  const made = all.filter(({ status }) => status === 201);
  assert.equal(made.filter((answer) => replayed(answer) === undefined).length, 1);
  assert.equal(new Set(made.map(({ body }) => body.key)).size, 1);
  assert.equal(await plane.db.collection('api_keys').countDocuments({ name: 'burst' }), 1);
});

test('a key is bound to its body, its query, its path and its caller', async () => {
  await post('/v1/keys', newKey('bound'), 'k3');
  const otherBody = await post('/v1/keys', newKey('other'), 'k3');
  assert.equal(otherBody.status, 422);
  assert.equal(otherBody.body.code, 'POSTHORN_IDEMPOTENCY_KEY_REUSED');
  assert.equal(otherBody.body.errors[0].pointer, '#header/idempotency-key');
  const dryRun = (query: string) =>
    post(`${tenant}/events/dry-run${query}`, { event: { type: 'a.b', data: 1 } }, 'k3');
  assert.equal((await dryRun('?limit=1')).status, 200);
  assert.equal((await dryRun('?limit=2')).status, 422);
  const url = 'https://e.com/bound';
  const otherPath = await post(`${tenant}/endpoints`, { url }, 'k3');
  assert.equal(otherPath.status, 201, otherPath.text);
  const caller = (await plane.call('POST', '/v1/keys', { scope: 'platform' })).body.key;
  await waitUntil(
    async () => (await plane.call('GET', '/v1/keys', undefined, { key: caller })).status === 200,
    {
      what: 'the new key is accepted',
    },
  );
  const byAnother = await post('/v1/keys', newKey('bound'), 'k3', caller);
  assert.equal(byAnother.status, 201, byAnother.text);
  assert.equal(replayed(byAnother), undefined);
});

test('every POST that creates or rotates repeats its first answer, with its headers', async () => {
  const endpoint = await post(`${tenant}/endpoints`, { url: 'https://e.com/all' }, 'k4');
  const { id, subscription_id: subscription } = endpoint.body;
  const requests: [string, object | undefined][] = [
    [`${tenant}/endpoints`, { url: 'https://e.com/all' }],
    [`${tenant}/endpoints/${id}/rotate-secret`, undefined],
    [`${tenant}/subscriptions`, { endpoint_id: id, event_types: ['a.b'] }],
  ];
  for (const [path, body] of requests) {
    const first = await post(path, body, 'k4');
    const again = await post(path, body, 'k4');
    assert.ok(first.status < 300, `${path}: ${first.text}`);
    assert.deepEqual(again.body, first.body, path);
    assert.equal(replayed(again), 'true', path);
    for (const name of ['etag', 'location']) assert.equal(again.headers[name], first.headers[name]);
  }
  const secrets = (await plane.call('GET', `${tenant}/endpoints/${id}`)).body.signing_secrets;
  assert.equal(secrets.length, 2, 'rotated once');
  assert.notEqual(subscription, null);
});

test('every POST stores its answer with its change or continues after a crash', async () => {
  const inTransaction = [
    'createEndpoint',
    'createKey',
    'createPortalToken',
    'createSubscription',
    'expirePreviousEndpointSecrets',
    'pauseEndpoint',
    'resumeEndpoint',
    'rotateEndpointSecret',
    'rotateKey',
  ];
  // Each continues an earlier run: see the tests of deliveries and dead letters.
  const continued = ['cancelDelivery', 'replayDeadLetter', 'resendDelivery', 'retryDelivery'];
  // A second run finds the same state, and gives the same answer.
  const repeatable = [
    'acknowledgeIssue',
    'applyEventTypeImport',
    'cancelBroadcast',
    'cancelReplay',
    'commitLeases',
    'createReplay',
    'dryRunEvent',
    'dryRunSubscription',
    'extendLeases',
    'pauseReplay',
    'reopenIssue',
    'resolveIssue',
    'resumeReplay',
    'revokePortalTokens',
  ];
  // After a crash a repeat sends another test webhook, or makes another plan, which does nothing.
  const repeated = [
    'createEventTypeImport',
    'createPlan',
    'seekEndpoint',
    'testEndpoint',
    'verifyEndpoint',
  ];
  // An exchange is refused the second time: it takes no key.
  const once = ['createSession'];
  const { paths } = (await plane.call('GET', '/openapi.json')).body;
  const posts = Object.values<{ post?: { operationId: string } }>(paths).flatMap(({ post }) =>
    post === undefined ? [] : [post.operationId],
  );
  // Idempotent by the event id.
  const published = ['publishBroadcast', 'publishBroadcasts', 'publishEvent', 'publishEvents'];
  const known = [...inTransaction, ...continued, ...repeatable, ...repeated, ...once, ...published];
  assert.deepEqual(posts.toSorted(), known.toSorted());
  const made = await plane.call('POST', `${tenant}/endpoints`, { url: 'https://e.com/one' });
  const { id } = made.body;
  const changes: [string, object | undefined][] = [
    [`${tenant}/endpoints`, { url: 'https://e.com/once' }],
    [`${tenant}/endpoints/${id}/rotate-secret`, undefined],
    [`${tenant}/endpoints/${id}/expire-previous-secrets`, undefined],
    [`${tenant}/endpoints/${id}/pause`, {}],
    [`${tenant}/endpoints/${id}/resume`, undefined],
    [`${tenant}/subscriptions`, { endpoint_id: id }],
    [`${tenant}/portal-tokens`, {}],
    ['/v1/keys', newKey('once')],
    ['/v1/keys', { scope: 'platform' }],
  ];
  const { id: keyId } = (await plane.call('POST', '/v1/keys', newKey('to-rotate'))).body;
  changes.push([`/v1/keys/${keyId}/rotate`, {}]);
  for (const [index, [path, body]] of changes.entries()) {
    await answers.deleteMany({});
    const answer = await post(path, body, `once-${index}`);
    assert.ok(answer.status < 300, answer.text);
    const [stored] = await answers.find().toArray();
    assert.equal(stored?.transactions, 1, `the answer of ${path} is stored in its transaction`);
    assert.notEqual(stored?.sealed, null, path);
  }
});

test('a rejected request does not use up its key', async () => {
  const missing = { endpoint_id: 'ep_none', event_types: ['a.b'] };
  assert.equal((await post(`${tenant}/subscriptions`, missing, 'k5')).status, 400);
  assert.equal((await post('/v1/keys', { scope: 'nonsense' }, 'k5')).status, 400);
  assert.equal((await post('/v1/keys', newKey('after'), 'k5')).status, 201);
  const { body } = await plane.call('POST', `${tenant}/endpoints`, { url: 'https://e.com/5' });
  const valid = { endpoint_id: body.id, event_types: ['a.b'] };
  assert.equal((await post(`${tenant}/subscriptions`, valid, 'k5')).status, 201);
});

test('a repeat commits the change once when its first request died before the commit', async () => {
  await post('/v1/keys', newKey('died'), 'k6');
  // As the crash leaves it: the transaction is undone, and the claim stays.
  await plane.db.collection('api_keys').deleteMany({ name: 'died' });
  await answers.updateMany({ sealed: { $ne: null } }, { $set: { sealed: null } });
  const early = await post('/v1/keys', newKey('died'), 'k6');
  assert.equal(early.status, 409);
  assert.equal(early.body.code, 'POSTHORN_IDEMPOTENCY_KEY_BUSY');
  await answers.updateMany({}, { $set: { deadline_at: new Date(0) } });
  const all = await Promise.all(
    Array.from({ length: 10 }, () => post('/v1/keys', newKey('died'), 'k6')),
  );
  assert.ok(all.some(({ status }) => status === 201));
  assert.ok(all.every(({ status }) => status === 201 || status === 409));
  const last = await post('/v1/keys', newKey('died'), 'k6');
  assert.equal(last.status, 201, last.text);
  assert.equal(replayed(last), 'true');
  assert.equal(await plane.db.collection('api_keys').countDocuments({ name: 'died' }), 1);
});

test('a claim of an earlier version is rejected until it expires', async () => {
  await post('/v1/keys', newKey('old'), 'k8');
  const claim = { $set: { sealed: null }, $unset: { holder: '', deadline_at: '' } } as const;
  await answers.updateMany({}, claim);
  assert.equal((await post('/v1/keys', newKey('old'), 'k8')).status, 409);
  await answers.updateMany({}, { $set: { expires_at: new Date(0) } });
  assert.equal((await post('/v1/keys', newKey('old'), 'k8')).status, 201);
});

test('stored answers are sealed, expire after a day, and are deleted with their tenant', async () => {
  await plane.call('PUT', '/v1/tenants/gone', {});
  const path = '/v1/tenants/gone/endpoints';
  const made = await post(path, { url: 'https://e.com/' }, 'k7');
  const stored = await answers.find({ tenant: 'gone' }).toArray();
  assert.equal(stored.length, 1);
  assert.ok(!JSON.stringify(stored).includes(made.body.secret));
  const left = (stored[0]?.expires_at.getTime() ?? 0) - Date.now();
  assert.ok(left > 23 * 3600_000 && left <= 24 * 3600_000);
  await plane.call('DELETE', '/v1/tenants/gone');
  await plane.call('PUT', '/v1/tenants/gone', {});
  const ofNewTenant = await post(path, { url: 'https://e.com/' }, 'k7');
  assert.equal(ofNewTenant.status, 201, ofNewTenant.text);
  assert.notEqual(ofNewTenant.body.id, made.body.id);
});

test('a key is bound to the decoded parameters of the route, whichever way the path is written', async () => {
  const body = { url: 'https://e.com/spelled' };
  const first = await post(`${tenant}/endpoints`, body, 'k9');
  const again = await post('/v1/tenants/%61cm%65/endpoints', body, 'k9');
  assert.equal(replayed(again), 'true', again.text);
  assert.equal(again.body.id, first.body.id);
});

test('an answer is removed with the resource that it shows, and its key creates nothing again', async () => {
  const endpoint = await post(`${tenant}/endpoints`, { url: 'https://e.com/removed' }, 'k10');
  const path = `${tenant}/endpoints/${endpoint.body.id}`;
  const rotated = await post(`${path}/rotate-secret`, undefined, 'k10');
  assert.equal(rotated.status, 200, rotated.text);
  const ofEndpoint = { endpoint_id: endpoint.body.id, event_types: ['a.b'] };
  const subscription = await post(`${tenant}/subscriptions`, ofEndpoint, 'k10');
  assert.equal(subscription.status, 201, subscription.text);
  const key = await post('/v1/keys', newKey('removed'), 'k10');
  await plane.call('DELETE', path);
  await plane.call('DELETE', `/v1/keys/${key.body.id}`);
  for (const [route, body] of [
    [`${tenant}/endpoints`, { url: 'https://e.com/removed' }],
    [`${path}/rotate-secret`, undefined],
    [`${tenant}/subscriptions`, ofEndpoint],
    ['/v1/keys', newKey('removed')],
  ] as const) {
    const again = await post(route, body, 'k10');
    assert.equal(again.status, 410, `${route}: ${again.text}`);
    assert.equal(again.body.code, 'POSTHORN_IDEMPOTENT_ANSWER_GONE');
    assert.equal(again.body.errors[0].pointer, '#header/idempotency-key');
  }
  const other = await post('/v1/keys', newKey('another'), 'k10');
  assert.equal(other.status, 422);
  assert.equal(await answers.countDocuments({ gone_at: { $exists: true }, sealed: null }), 4);
});

test('rejects an Idempotency-Key without a length of 1 to 255', async () => {
  for (const key of ['""', 'x'.repeat(256)]) {
    const answer = await post('/v1/keys', newKey('long'), key);
    assert.equal(answer.status, 400);
    assert.equal(answer.body.errors[0].pointer, '#header/idempotency-key');
  }
});

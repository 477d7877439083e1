/** Examples of webhooks and of failing endpoints, compared with real requests to a receiver. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { makeTempDir } from '#testkit/temp-dir.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { type ReceivedRequest, WebhookReceiver } from '#testkit/webhook-receiver.ts';
import { type Banner, PosthornProcess } from '../../e2e/posthorn-process.ts';
import { markdownFiles } from '../project-files.ts';
import { assertShown, fencesOf, withoutVarying } from './shown-answers.ts';

let banner: Banner;
let receiver: WebhookReceiver;

before(async (t) => {
  const after = (undo: () => Promise<unknown>): void =>
    (t as never as { after: (undo: () => Promise<unknown>) => void }).after(undo);
  receiver = await WebhookReceiver.start();
  after(() => receiver.close());
  const dir = await makeTempDir();
  const system = new PosthornProcess(dir.path);
  after(async () => {
    await system.end();
    await dir.remove();
  });
  banner = await system.banner();
});

async function api(method: string, path: string, body?: string): Promise<Record<string, unknown>> {
  const response = await fetch(banner.apiUrl + path, {
    method,
    headers: {
      authorization: `Bearer ${banner.key}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    body: body ?? null,
  });
  const text = await response.text();
  assert.ok(response.ok, text);
  return JSON.parse(text) as Record<string, unknown>;
}

/**
 * Creates a tenant with an endpoint at a path of the receiver. @returns the path of the endpoint
 */
async function newEndpoint(tenant: string, hook: string, fields: object = {}): Promise<string> {
  await api('PUT', `/v1/tenants/${tenant}`, '{}');
  const body = JSON.stringify({ url: receiver.url(hook), ...fields });
  const { id } = await api('POST', `/v1/tenants/${tenant}/endpoints`, body);
  return `/v1/tenants/${tenant}/endpoints/${String(id)}`;
}

/** Returns the only block that the documents have under a name. */
function exampleOf(name: string): string {
  const found = markdownFiles()
    .flatMap(({ text }) => fencesOf(text))
    .filter(({ info }) => info.endsWith(` example=${name}`));
  assert.equal(found.length, 1, name);
  return found[0]?.code as string;
}

const tested = [
  'endpoint-health',
  'reconcile',
  'sequenced-webhook',
  'verify-sequence',
  'webhook',
  'webhook-with-link',
];

test('each example that the documents name has a test in this file', () => {
  const named = markdownFiles()
    .flatMap(({ text }) => fencesOf(text))
    .map(({ info }) => / example=(.*)$/.exec(info)?.[1])
    .filter((name) => name !== undefined);
  assert.deepEqual(named.toSorted(), tested.toSorted());
});

test('a webhook has the headers and the body that the documents show', async () => {
  await newEndpoint('plain', '/webhooks');
  const event = '{"type":"order.created","data":{"amount":12.50}}';
  await api('POST', '/v1/tenants/plain/events', event);
  const [request] = await receiver.waitFor(1, '/webhooks');
  assert.ok(request);
  assertShownRequest(request, 'webhook');
});

test('a sequenced webhook has a number, which the receiver of the documents verifies', async () => {
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
  const path = await newEndpoint('counted', '/sequenced', { sequenced: true, secret });
  const event = '{"type":"order.created","data":{"amount":12.50}}';
  await api('POST', '/v1/tenants/counted/events', event);
  const [request] = await receiver.waitFor(1, '/sequenced');
  assert.ok(request);
  assertShownRequest(request, 'sequenced-webhook');
  const code = exampleOf('verify-sequence');
  const { verifiedSequence } = (await import(
    `data:text/javascript,${encodeURIComponent(code)}`
  )) as {
    verifiedSequence: (headers: object, secret: string) => number;
  };
  assert.equal(verifiedSequence(request.headers, secret), 1);
  const forged = { ...request.headers, 'posthorn-sequence': '2' };
  assert.throws(() => verifiedSequence(forged, secret), /not signed/);
  const reconcile = () => api('GET', `${path}/reconcile?from=1&to=2`);
  const isDelivered = async () => JSON.stringify(await reconcile()).includes('"delivered"');
  await waitUntil(isDelivered, { deadlineMs: 30_000 });
  assertShown(exampleOf('reconcile'), await reconcile(), 'reconcile');
});

/** Asserts that a request has the form, the headers and the body of an example. */
function assertShownRequest(request: ReceivedRequest, example: string): void {
  const [head = '', body = ''] = exampleOf(example).trimEnd().split('\n\n');
  const [line, ...headers] = head.split('\n');
  assert.equal(line, `${request.method} ${request.path} HTTP/1.1`);
  for (const header of headers) {
    const [name = '', value = ''] = header.split(': ');
    const actual: string = request.headers[name] ?? 'absent';
    if (name === 'webhook-timestamp') assert.match(actual, /^\d{10}$/);
    else assert.equal(withoutVarying(actual), withoutVarying(value), name);
  }
  // Compares text and not values, because `12.50` must keep its digits.
  const time = /\d{4}-\d\d-\d\dT[\d:.]+Z/;
  assert.equal(request.body.toString().replace(time, ''), body.replace(time, ''));
}

test('the webhook of a large payload has the link that the documents show', async () => {
  await newEndpoint('linked', '/linked', { payload: 'url' });
  const size = 3_145_728;
  const data = JSON.stringify('x'.repeat(size - 2));
  await api('POST', '/v1/tenants/linked/events', `{"type":"report.ready","data":${data}}`);
  const [request] = await receiver.waitFor(1, '/linked');
  assert.equal(request?.headers['posthorn-payload'], 'url');
  const shown = JSON.parse(exampleOf('webhook-with-link')) as Record<string, unknown>;
  const actual = JSON.parse(String(request?.body)) as Record<string, unknown>;
  const inGeneral = (link: unknown): string =>
    String(link)
      .replace(/^https?:\/\/[^/]+/, '')
      .replace('/acme/', '/linked/')
      .replace(/expires=\d+&signature=.*$/, 'expires=&signature=');
  for (const each of [shown, actual]) each['data_url'] = inGeneral(each['data_url']);
  assertShown(JSON.stringify(shown), actual, 'webhook-with-link');
});

test('a failing endpoint shows its health as the documents do', async () => {
  const path = await newEndpoint('ill', '/ill');
  const publish = () => api('POST', '/v1/tenants/ill/events', '{"type":"order.created","data":1}');
  await publish();
  await receiver.waitFor(1, '/ill');
  const healthOf = async () => (await api('GET', path))['health'] as Record<string, unknown>;
  await waitUntil(async () => (await healthOf())['last_success_at'] !== null, {
    deadlineMs: 30_000,
  });
  receiver.on('/ill', { status: 503 });
  await publish();
  await waitUntil(async () => (await healthOf())['status'] === 'failing', { deadlineMs: 30_000 });
  const health = await healthOf();
  assertShown(exampleOf('endpoint-health'), { health }, 'endpoint-health');
  const since = Date.parse(String(health['failing_since']));
  assert.equal(Date.parse(String(health['disables_at'])) - since, 5 * 24 * 3600 * 1000);
});

/** The spans of one event through all roles, each in its own process (OB-1). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { headers } from '@nats-io/nats-core';
import { connect } from '@nats-io/transport-node';
import { OtlpReceiver, type ReceivedSpan } from '#testkit/otlp-receiver.ts';
import { TEST_KEY, startSystem } from '#testkit/system.ts';
import { cloudEventId } from '#domain/event/event-id.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { WebhookReceiver } from '#testkit/webhook-receiver.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';
const OTHER_TRACE = '11112222333344445555666677778888';

const NATS_TRACE = '77772222333344445555666677778888';
const REFUSED_TRACE = '66662222333344445555666677778888';
const BROADCAST_TRACE = '88882222333344445555666677778888';

const KINDS = { server: 2, client: 3, producer: 4, consumer: 5 };

/** Waits for this many spans of a trace, and returns them. */
function spansOf(collector: OtlpReceiver, trace: string, count: number): Promise<ReceivedSpan[]> {
  return waitUntil(
    () => {
      const found = collector.spans.filter(({ traceId }) => traceId === trace);
      return found.length >= count ? found : undefined;
    },
    { what: `${count} spans of ${trace}`, deadlineMs: 20_000 },
  );
}

test(
  'one trace spans the request of the producer and two attempts, and reaches receivers that opted in',
  { timeout: 400_000 },
  async (t) => {
    const receiver = await WebhookReceiver.start();
    const collector = await OtlpReceiver.start();
    const layout = [['ingress'], ['router'], ['delivery'], ['control']] as const;
    // Only requests sampled by a producer are traced.
    const system = await startSystem(layout, {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      POSTHORN_OTLP_HEADERS: 'Authorization=Bearer%20of-the-collector,x-team=hooks',
      POSTHORN_TRACE_SAMPLE_PERCENT: '0',
    });
    t.after(async () => {
      await system.stop();
      await receiver.close();
      await collector.close();
    });
    receiver.on('/propagated', (_request, nth) => ({ status: nth === 1 ? 500 : 200 }));
    await system.api('PUT', '/v1/tenants/acme', {});
    const endpoints = '/v1/tenants/acme/endpoints';
    for (const [path, type] of [
      ['/propagated', 'order.*'],
      ['/quiet', '*'],
    ] as const) {
      const made = await system.api('POST', endpoints, {
        url: receiver.url(path),
        event_types: [type],
        ...(path === '/propagated' ? { propagate_trace: true } : {}),
      });
      assert.equal(made.status, 201, JSON.stringify(made.body));
    }
    const publish = async (event: object, traceparent?: string): Promise<void> => {
      const response = await fetch(`${system.url('ingress')}/v1/tenants/acme/events`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${TEST_KEY}`,
          'content-type': 'application/json',
          'x-request-id': 'req-of-the-shop',
          ...(traceparent === undefined ? {} : { traceparent }),
        },
        body: JSON.stringify(event),
      });
      assert.equal(response.status, 202, await response.text());
    };
    await publish({ id: 'untraced', type: 'other.kind', data: {} });
    await publish({ id: 'e1', type: 'order.created', data: {} }, `00-${TRACE}-${SPAN}-01`);

    const [, second] = await receiver.waitFor(2, '/propagated', 30_000);
    const quiet = await receiver.waitFor(2, '/quiet', 30_000);
    const spans = await spansOf(collector, TRACE, 6);

    const only = (kind: number): ReceivedSpan => {
      const found = spans.filter((span) => span.kind === kind);
      assert.equal(found.length, 1, JSON.stringify(spans));
      return found[0] as ReceivedSpan;
    };
    for (const headers of collector.headers) {
      assert.equal(headers.authorization, 'Bearer of-the-collector');
      assert.equal(headers['x-team'], 'hooks');
    }

    const server = only(KINDS.server);
    assert.equal(server.name, 'POST /v1/tenants/:tenant/events');
    assert.equal(server.parentSpanId, SPAN);
    assert.equal(server.roles, 'ingress');
    assert.equal(server.attributes['http.response.status_code'], 202);
    assert.equal(server.attributes['posthorn.request.id'], 'req-of-the-shop');

    const published = only(KINDS.producer);
    assert.equal(published.name, 'publish events');
    assert.equal(published.parentSpanId, server.spanId);
    assert.equal(published.attributes['messaging.system'], 'nats');
    assert.equal(published.attributes['messaging.message.id'], 'e1');
    assert.equal(published.attributes['messaging.message.conversation_id'], 'req-of-the-shop');

    const routed = only(KINDS.consumer);
    assert.equal(routed.name, 'process events');
    assert.equal(routed.roles, 'router');
    assert.equal(routed.parentSpanId, published.spanId);
    assert.equal(routed.attributes['posthorn.deliveries'], 2);

    const attempts = spans.filter(({ kind }) => kind === KINDS.client);
    assert.equal(attempts.length, 3);
    for (const attempt of attempts) {
      assert.equal(attempt.name, 'POST');
      assert.equal(attempt.roles, 'delivery');
      assert.equal(attempt.parentSpanId, routed.spanId);
      assert.equal(attempt.attributes['server.address'], '127.0.0.1');
      assert.equal(attempt.attributes['server.port'], receiver.port);
      assert.ok(
        !JSON.stringify(attempt).includes('/propagated'),
        'the path of a URL may be a secret',
      );
    }
    const failed = attempts.find((span) => span.attributes['http.response.status_code'] === 500);
    const again = attempts.find((span) => span.attributes['posthorn.attempt'] === 2);
    assert.equal(failed?.attributes['error.type'], '500');
    assert.equal(failed?.status?.code, 2);
    assert.equal(again?.attributes['http.request.resend_count'], 1);
    assert.deepEqual(
      again?.links?.map(({ traceId, spanId }) => ({ traceId, spanId })),
      [{ traceId: TRACE, spanId: failed?.spanId }],
    );

    assert.equal(second?.headers['traceparent'], `00-${TRACE}-${again?.spanId}-01`);
    for (const { headers } of quiet) assert.equal(headers['traceparent'], undefined);

    await t.test('a CloudEvent has its own trace, linked to the request', async () => {
      const traceparent = `00-${OTHER_TRACE}-${SPAN}-01`;
      const event = { specversion: '1.0', id: 'e2', source: '/shop', type: 'order.paid' };
      const request = '00-99992222333344445555666677778888-00f067aa0ba902b7-01';
      await publish({ ...event, traceparent, data: {} }, request);
      const span = await waitUntil(
        () =>
          collector.spans.find(
            ({ kind, attributes }) =>
              kind === KINDS.producer &&
              attributes['messaging.message.id'] === cloudEventId('/shop', 'e2'),
          ),
        { what: 'its span', deadlineMs: 20_000 },
      );
      assert.equal(span.traceId, OTHER_TRACE);
      assert.equal(span.parentSpanId, SPAN);
      assert.equal(span.links?.[0]?.traceId, '99992222333344445555666677778888');
    });

    await t.test('a request over NATS has a server span, as a request over HTTP does', async () => {
      const nc = await connect({ servers: system.natsUrl });
      try {
        const ask = (subject: string, trace: string) => {
          const hdrs = headers();
          hdrs.set('traceparent', `00-${trace}-${SPAN}-01`);
          return nc.request(subject, '{"n":1}', { headers: hdrs, timeout: 10_000 });
        };
        await ask('in.acme.other.kind', NATS_TRACE);
        await ask('in.nobody.other.kind', REFUSED_TRACE);
      } finally {
        await nc.close();
      }
      // The request, the publication, the fan-out, and the attempt at /quiet.
      const found = await spansOf(collector, NATS_TRACE, 4);
      const request = found.find(({ kind }) => kind === KINDS.server);
      assert.equal(request?.name, 'process in.{tenant}.{type}');
      assert.equal(request.parentSpanId, SPAN);
      assert.equal(request.attributes['messaging.system'], 'nats');
      assert.equal(request.attributes['error.type'], undefined);
      const publication = found.find(({ kind }) => kind === KINDS.producer);
      assert.equal(publication?.parentSpanId, request.spanId);
      const conversation = publication.attributes['messaging.message.conversation_id'];
      assert.equal(conversation, request.attributes['posthorn.request.id']);

      const [refused, ...more] = await spansOf(collector, REFUSED_TRACE, 1);
      assert.deepEqual(more, []);
      assert.equal(refused?.attributes['error.type'], 'POSTHORN_TENANT_UNKNOWN');
      assert.notEqual(refused.status?.code, 2, 'the fault is the producer’s');
    });

    await t.test('one trace spans a broadcast from its request to its attempts', async () => {
      const received = receiver.at('/propagated').length;
      const response = await fetch(`${system.url('ingress')}/v1/events`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${TEST_KEY}`,
          'content-type': 'application/json',
          traceparent: `00-${BROADCAST_TRACE}-${SPAN}-01`,
        },
        body: JSON.stringify({ id: 'b1', type: 'order.all', data: {} }),
      });
      assert.equal(response.status, 202, await response.text());
      const requests = await receiver.waitFor(received + 1, '/propagated', 30_000);
      // The request, the publication, the walk, the fan-out of its copy, and both attempts.
      const found = await spansOf(collector, BROADCAST_TRACE, 6);
      const named = (name: string): ReceivedSpan => {
        const [span, ...more] = found.filter((one) => one.name === name);
        assert.ok(span !== undefined && more.length === 0, JSON.stringify(found));
        return span;
      };
      const request = named('POST /v1/events');
      const publication = named('publish broadcasts');
      const walk = named('process broadcasts');
      const fanOut = named('process events');
      assert.equal(request.parentSpanId, SPAN);
      assert.equal(publication.parentSpanId, request.spanId);
      assert.equal(publication.attributes['posthorn.tenant.id'], undefined);
      assert.equal(walk.parentSpanId, publication.spanId);
      assert.equal(walk.kind, KINDS.consumer);
      assert.equal(walk.roles, 'router');
      assert.equal(walk.attributes['posthorn.broadcast.tenants'], 1);
      assert.equal(walk.attributes['posthorn.broadcast.endpoints'], 2);
      assert.equal(fanOut.parentSpanId, walk.spanId);
      assert.equal(fanOut.attributes['posthorn.tenant.id'], 'acme');
      const attempts = found.filter(({ kind }) => kind === KINDS.client);
      assert.equal(attempts.length, 2);
      for (const attempt of attempts) assert.equal(attempt.parentSpanId, fanOut.spanId);
      const shown = requests.at(-1)?.headers['traceparent'] as string;
      assert.ok(attempts.some(({ spanId }) => shown === `00-${BROADCAST_TRACE}-${spanId}-01`));
    });

    const untraced = collector.spans.filter(
      ({ traceId }) => !traceId.startsWith('4bf9') && !/2222333344445555/.test(traceId),
    );
    assert.deepEqual(untraced, []);
  },
);

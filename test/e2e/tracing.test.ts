/** The spans of one event through all roles, each in a process of its own (OB-1). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OtlpReceiver, type ReceivedSpan } from '#testkit/otlp-receiver.ts';
import { TEST_KEY, startSystem } from '#testkit/system.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { WebhookReceiver } from '#testkit/webhook-receiver.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';
const OTHER_TRACE = '11112222333344445555666677778888';

const KINDS = { server: 2, client: 3, producer: 4, consumer: 5 };

test(
  'one trace from the request of the producer to the second attempt, and to who opted in',
  { timeout: 120_000 },
  async (t) => {
    const receiver = await WebhookReceiver.start();
    const collector = await OtlpReceiver.start();
    const layout = [['ingress'], ['router'], ['delivery'], ['control']] as const;
    // Only what a producer has sampled is traced.
    const system = await startSystem(layout, {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      POSTHORN_TRACE_SAMPLE_PERCENT: '0',
    });
    t.after(async () => {
      await system.stop();
      await receiver.close();
      await collector.close();
    });
    receiver.on('/told', (_request, nth) => ({ status: nth === 1 ? 500 : 200 }));
    await system.api('PUT', '/v1/tenants/acme', {});
    const endpoints = '/v1/tenants/acme/endpoints';
    for (const [path, type] of [
      ['/told', 'order.*'],
      ['/quiet', '*'],
    ] as const) {
      const made = await system.api('POST', endpoints, {
        url: receiver.url(path),
        event_types: [type],
        ...(path === '/told' ? { propagate_trace: true } : {}),
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

    const [, second] = await receiver.waitFor(2, '/told', 30_000);
    const quiet = await receiver.waitFor(2, '/quiet', 30_000);
    const spans = await waitUntil(
      () => {
        const found = collector.spans.filter(({ traceId }) => traceId === TRACE);
        return found.length >= 6 ? found : undefined;
      },
      { what: 'the spans of the event', deadlineMs: 20_000 },
    );

    const only = (kind: number): ReceivedSpan => {
      const found = spans.filter((span) => span.kind === kind);
      assert.equal(found.length, 1, JSON.stringify(spans));
      return found[0] as ReceivedSpan;
    };
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
      assert.ok(!JSON.stringify(attempt).includes('/told'), 'the path of a URL may be a secret');
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

    await t.test('a CloudEvent has a trace of its own, linked to the request', async () => {
      const traceparent = `00-${OTHER_TRACE}-${SPAN}-01`;
      const event = { specversion: '1.0', id: 'e2', source: '/shop', type: 'order.paid' };
      const request = '00-99992222333344445555666677778888-00f067aa0ba902b7-01';
      await publish({ ...event, traceparent, data: {} }, request);
      const span = await waitUntil(
        () =>
          collector.spans.find(
            ({ kind, attributes }) =>
              kind === KINDS.producer && attributes['messaging.message.id'] === 'e2',
          ),
        { what: 'its span', deadlineMs: 20_000 },
      );
      assert.equal(span.traceId, OTHER_TRACE);
      assert.equal(span.parentSpanId, SPAN);
      assert.equal(span.links?.[0]?.traceId, '99992222333344445555666677778888');
    });

    const untraced = collector.spans.filter(
      ({ traceId }) => !traceId.startsWith('4bf9') && !/2222333344445555/.test(traceId),
    );
    assert.deepEqual(untraced, []);
  },
);

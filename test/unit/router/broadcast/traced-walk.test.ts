import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  InMemorySpanExporter,
  SimpleSpanProcessor,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { Tracing } from '#infra/telemetry/tracing.ts';
import { TRACED_ENDPOINTS_MAX, TracedWalk } from '#src/router/broadcast/traced-walk.ts';
import { type EventFrame, decodeEventFrame, encodeEventFrame } from '#wire/frames/event-frame.ts';

const PUBLICATION = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

function broadcast(trace: string | undefined): EventFrame {
  const head = {
    id: 'b1',
    type: 'news.all',
    source: '/shop',
    time: '2026-01-31T12:00:00Z',
    kind: 'json',
    acceptedMs: 1,
    correlationId: 'req_1',
    broadcast: true,
    ...(trace === undefined ? {} : { trace }),
  } as const;
  return decodeEventFrame(encodeEventFrame(head, '{"n": 1.50}'));
}

function recording(): { tracing: Tracing; exporter: InMemorySpanExporter } {
  const exporter = new InMemorySpanExporter();
  const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] });
  return { tracing: new Tracing(provider.getTracer('test'), 1, async () => {}), exporter };
}

test('the first copies carry the trace, later ones do not, and their data is the same', () => {
  const { tracing, exporter } = recording();
  const walk = new TracedWalk(tracing, broadcast(PUBLICATION));
  const half = TRACED_ENDPOINTS_MAX / 2;
  const copies = [half, half, 1].map((endpoints) => decodeEventFrame(walk.frameFor(endpoints)));
  walk.end(undefined);
  const [span] = exporter.getFinishedSpans();
  const context = span?.spanContext();
  const traced = `00-${context?.traceId}-${context?.spanId}-01`;
  assert.equal(context?.traceId, PUBLICATION.split('-')[1]);
  assert.deepEqual(
    copies.map(({ head }) => head.trace),
    [traced, traced, undefined],
  );
  for (const { head, data } of copies) {
    assert.equal(data.toString(), '{"n": 1.50}');
    assert.equal(head.correlationId, 'req_1');
  }
  assert.equal(span?.attributes['posthorn.broadcast.endpoints_traced'], TRACED_ENDPOINTS_MAX);
});

test('a broadcast that is not sampled, or without tracing, is copied unchanged', () => {
  const { tracing, exporter } = recording();
  for (const [by, trace] of [
    [tracing, undefined],
    [undefined, PUBLICATION],
  ] as const) {
    const event = broadcast(trace);
    const walk = new TracedWalk(by, event);
    assert.equal(walk.frameFor(TRACED_ENDPOINTS_MAX), event.bytes);
    assert.equal(walk.frameFor(1), event.bytes);
    walk.end(undefined);
  }
  assert.deepEqual(exporter.getFinishedSpans(), []);
});

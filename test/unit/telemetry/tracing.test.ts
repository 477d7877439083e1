import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SpanKind } from '@opentelemetry/api';
import { TracerProvider } from '@opentelemetry/sdk-trace';
import { Tracing, traceparentOf } from '#infra/telemetry/tracing.ts';

const SAMPLED = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const NOT_SAMPLED = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00';

const begun = { name: 'POST /events', kind: SpanKind.SERVER, attributes: {} };

function tracing(shareBegun: number): Tracing {
  return new Tracing(new TracerProvider().getTracer('test'), shareBegun, async () => {});
}

test('what is not sampled makes no span, and is not even described', () => {
  const describe = () => assert.fail('described');
  assert.equal(tracing(0).begin(undefined, describe), undefined);
  assert.equal(tracing(1).begin(NOT_SAMPLED, describe), undefined);
});

test('a request without a trace begins one, in its share of the cases', () => {
  const span = tracing(1).begin(undefined, () => begun);
  assert.equal(span?.isRecording(), true);
});

test('where the producer named a trace its flag decides, whatever the share', () => {
  const span = tracing(0).begin(SAMPLED, () => begun);
  assert.ok(span !== undefined);
  assert.match(traceparentOf(span), /^00-4bf92f3577b34da6a3ce929d0e0e4736-.{16}-01$/);
});

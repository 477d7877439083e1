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

test('an unsampled trace creates no span and does not call its description', () => {
  const describe = () => assert.fail('described');
  assert.equal(tracing(0).begin(undefined, describe), undefined);
  assert.equal(tracing(1).begin(NOT_SAMPLED, describe), undefined);
});

test('a request without a trace begins one at the configured rate', () => {
  const span = tracing(1).begin(undefined, () => begun);
  assert.equal(span?.isRecording(), true);
});

test("the flag of the producer's trace decides, at any sampling rate", () => {
  const span = tracing(0).begin(SAMPLED, () => begun);
  assert.ok(span !== undefined);
  assert.match(traceparentOf(span), /^00-4bf92f3577b34da6a3ce929d0e0e4736-.{16}-01$/);
});

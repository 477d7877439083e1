import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PosthornError } from '#domain/errors.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { RefusalLog } from '#src/ingress/http/refusal-log.ts';

type Line = Record<string, unknown>;

function logOf(nowMs: () => number): { refusals: RefusalLog; lines: Line[] } {
  const lines: Line[] = [];
  const info = (line: Line, msg: string) => void lines.push({ ...line, msg });
  return { refusals: new RefusalLog({ log: { info } as unknown as Log, now: nowMs }), lines };
}

test('the log line of a refused event has the request, tenant, code and pointer', () => {
  const { refusals, lines } = logOf(() => 0);
  const fields = [{ pointer: '/type', detail: 'is required' }];
  const error = new PosthornError('POSTHORN_EVENT_INVALID', { fields });
  refusals.add(error, { requestId: 'req_1', tenant: 'acme' });
  assert.deepEqual(lines, [
    {
      msg: 'ingress.event_refused',
      request_id: 'req_1',
      tenant_id: 'acme',
      code: 'POSTHORN_EVENT_INVALID',
      pointer: '/type',
      unnamed: 0,
    },
  ]);
});

test('a flood logs 20 lines a minute, and the next line gives the number of omitted ones', () => {
  let nowMs = 5;
  const { refusals, lines } = logOf(() => nowMs);
  const error = new PosthornError('POSTHORN_TENANT_UNKNOWN');
  for (let i = 0; i < 25; i++) refusals.add(error, { requestId: `req_${i}` });
  assert.equal(lines.length, 20);
  nowMs += 60_000;
  for (const requestId of ['req_a', 'req_b']) refusals.add(error, { requestId });
  assert.deepEqual(
    lines.slice(20).map((line) => [line['request_id'], line['unnamed']]),
    [
      ['req_a', 5],
      ['req_b', 0],
    ],
  );
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isBulkheadRejectedError } from 'cockatiel';
import * as fc from 'fast-check';
import { EndpointBulkhead } from '#src/delivery/actors/endpoint-bulkhead.ts';

const noop = (): void => undefined;

/** A bulkhead whose turns end when the test says so. */
function bulkheadOf(capacity: number) {
  const bulkhead = new EndpointBulkhead(capacity);
  const ends: (() => Promise<void>)[] = [];
  const start = (): void => {
    const turn = Promise.withResolvers<void>();
    const ended = bulkhead.run(() => turn.promise, noop);
    ends.push(async () => {
      turn.resolve();
      await ended;
    });
  };
  return { bulkhead, ends, start };
}

test('rejects a turn beyond the capacity with BulkheadRejectedError', async () => {
  const { bulkhead, start } = bulkheadOf(2);
  start();
  assert.ok(bulkhead.hasSlot);
  start();
  assert.ok(!bulkhead.hasSlot);
  await assert.rejects(
    bulkhead.run(() => assert.fail('the turn began'), noop),
    isBulkheadRejectedError,
  );
  assert.equal(bulkhead.running, 2);
});

test('a turn that fails frees its slot before its end is reported', async () => {
  const { bulkhead } = bulkheadOf(1);
  const fault = new Error('a defect');
  let hadSlot = false;
  const onEnd = (): void => void (hadSlot = bulkhead.hasSlot);
  await assert.rejects(
    bulkhead.run(() => Promise.reject(fault), onEnd),
    fault,
  );
  assert.ok(hadSlot);
  assert.equal(bulkhead.running, 0);
  assert.ok(bulkhead.hasSlot);
});

test('turns never exceed the newest capacity when it changes while they run', async () => {
  const step = fc.oneof(
    fc.constant({ kind: 'start' as const }),
    fc.record({ kind: fc.constant('end' as const), at: fc.nat() }),
    fc.record({ kind: fc.constant('resize' as const), to: fc.integer({ min: 1, max: 6 }) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const { bulkhead, ends, start } = bulkheadOf(3);
      for (const one of steps) {
        if (one.kind === 'resize') bulkhead.resize(one.to);
        else if (one.kind === 'start' && bulkhead.hasSlot) start();
        else if (one.kind === 'end' && ends.length > 0) {
          const [end] = ends.splice(one.at % ends.length, 1);
          await end?.();
        }
        assert.equal(bulkhead.running, ends.length);
        assert.equal(bulkhead.hasSlot, ends.length < bulkhead.capacity);
      }
    }),
  );
});

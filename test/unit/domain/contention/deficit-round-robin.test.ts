import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { DeficitRoundRobin, Flow } from '#domain/contention/deficit-round-robin.ts';

interface Owner {
  id: number;
  weight: number;
}

function ringOf(weights: readonly number[]) {
  const ring = new DeficitRoundRobin<Owner>(({ weight }) => weight);
  const flows = weights.map((weight, id) => new Flow<Owner>({ id, weight }));
  for (const flow of flows) ring.join(flow);
  const serve = (units: number): number[] => {
    const served: number[] = [];
    for (let unit = 0; unit < units; unit++) {
      served.push((ring.head as Owner).id);
      ring.spend();
    }
    return served;
  };
  return { ring, flows, serve };
}

const weightsOfRing = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 8 });

test('each flow spends its quantum in every round while all flows have work', () => {
  fc.assert(
    fc.property(weightsOfRing, fc.integer({ min: 1, max: 5 }), (weights, rounds) => {
      const round = weights.flatMap((weight, id) => Array<number>(weight).fill(id));
      const expected = Array.from({ length: rounds }, () => round).flat();
      assert.deepEqual(ringOf(weights).serve(expected.length), expected);
    }),
  );
});

test('a flow waits at most one quantum of each other flow while flows join, leave and pass', () => {
  const step = fc.record({
    kind: fc.constantFrom('join', 'leave', 'spend', 'spend', 'spend', 'pass'),
    flow: fc.nat({ max: 7 }),
  });
  const steps = fc.array(step, { maxLength: 300 });
  fc.assert(
    fc.property(weightsOfRing, steps, (weights, all) => {
      const { ring, flows } = ringOf(weights);
      const inRing = new Set(flows);
      // Units of other flows since a flow had the turn or joined.
      const waited = new Map(flows.map((flow) => [flow, 0]));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      for (const { kind, flow: index } of all) {
        const flow = flows[index % flows.length] as Flow<Owner>;
        if (kind === 'join') {
          ring.join(flow);
          if (!inRing.has(flow)) waited.set(flow, 0);
          inRing.add(flow);
        } else if (kind === 'leave') {
          ring.leave(flow);
          inRing.delete(flow);
        } else if (kind === 'pass') {
          if (ring.head !== undefined) waited.set(flows[ring.head.id] as Flow<Owner>, 0);
          ring.pass();
        } else if (ring.head !== undefined) {
          const served = flows[ring.head.id] as Flow<Owner>;
          ring.spend();
          for (const other of inRing) waited.set(other, (waited.get(other) ?? 0) + 1);
          waited.set(served, 0);
        }
        assert.equal(ring.size, inRing.size);
        assert.equal(ring.head === undefined, inRing.size === 0);
        for (const other of inRing) {
          const most = total - other.owner.weight;
          assert.ok((waited.get(other) ?? 0) <= most, 'waits longer than the others have quanta');
        }
      }
    }),
    { numRuns: 300 },
  );
});

test('a flow that left has a full quantum when it joins again', () => {
  const { ring, flows, serve } = ringOf([3, 1]);
  assert.deepEqual(serve(2), [0, 0]);
  ring.leave(flows[0] as Flow<Owner>);
  ring.join(flows[0] as Flow<Owner>);
  assert.deepEqual(serve(5), [1, 0, 0, 0, 1]);
});

test('a changed quantum applies to the next turn', () => {
  const { flows, serve } = ringOf([2, 2]);
  assert.deepEqual(serve(1), [0]);
  (flows[0] as Flow<Owner>).owner.weight = 3;
  assert.deepEqual(serve(6), [0, 1, 1, 0, 0, 0]);
});

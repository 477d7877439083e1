import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Log } from '#infra/telemetry/log.ts';
import { LocalFaults, type LocalFaultsDeps } from '#src/delivery/local-faults/local-faults.ts';

function startFaults() {
  const clock = { nowMs: 1000 };
  const lines: unknown[][] = [];
  const counted: string[] = [];
  const reported: string[] = [];
  let closed = 0;
  const faults = new LocalFaults({
    metrics: {
      localFaults: { inc: ({ fault }: { fault: string }) => counted.push(fault) },
    } as unknown as LocalFaultsDeps['metrics'],
    log: { error: (...line: unknown[]) => lines.push(line) } as unknown as Log,
    closeIdle: () => closed++,
    onFault: (fault) => reported.push(fault),
    now: () => clock.nowMs,
  });
  return { faults, clock, lines, counted, reported, closed: () => closed };
}

test('a fault of the machine is logged once a minute with the number of deliveries', () => {
  const { faults, clock, lines, counted } = startFaults();
  for (let n = 0; n < 5; n++) faults.report('descriptors');
  faults.report('resolver');
  const [descriptors, resolver] = [{ fault: 'descriptors' }, { fault: 'resolver' }];
  assert.deepEqual(lines, [
    [{ ...descriptors, put_off: 1 }, 'delivery.local_fault'],
    [{ ...resolver, put_off: 1 }, 'delivery.local_fault'],
  ]);
  assert.equal(counted.length, 6);
  clock.nowMs += 60_000;
  faults.report('descriptors');
  assert.deepEqual(lines[2], [{ ...descriptors, put_off: 5 }, 'delivery.local_fault']);
});

test('a delivery is delayed for as long as the fault has lasted, from 2 s to a minute', () => {
  const { faults, clock } = startFaults();
  assert.equal(faults.report('ports'), 2000);
  clock.nowMs += 10_000;
  assert.equal(faults.report('ports'), 10_000);
  // A fault of another kind has only begun.
  assert.equal(faults.report('memory'), 2000);
  clock.nowMs += 100_000;
  assert.equal(faults.report('ports'), 60_000);
  // The fault ended in between.
  clock.nowMs += 130_000;
  assert.equal(faults.report('ports'), 2000);
});

test('idle connections are closed at most once a second when descriptors, ports or memory are short', () => {
  const { faults, clock, closed } = startFaults();
  faults.report('resolver');
  faults.report('network');
  assert.equal(closed(), 0);
  faults.report('descriptors');
  faults.report('memory');
  assert.equal(closed(), 1);
  clock.nowMs += 1000;
  faults.report('ports');
  assert.equal(closed(), 2);
});

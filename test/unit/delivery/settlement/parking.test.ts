/** The delays of parked deliveries while their endpoint's circuit is not closed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '#testkit/test-clock.ts';
import { Mailbox } from '#src/delivery/actors/mailbox.ts';
import type { InFlightDelivery } from '#src/delivery/intake/in-flight-delivery.ts';
import { Parking, type ParkingDeps } from '#src/delivery/settlement/parking.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

const DELIVERY = { deliveryClass: 't' } as InFlightDelivery;

interface Options {
  unhealthyMs: number | undefined;
  attemptMs?: number;
  random?: number;
}

function parkingOf(
  options: Options,
  clock = new ManualClock(),
): { parking: Parking; mailbox: Mailbox; parked: number[] } {
  const parked: number[] = [];
  const mailbox = new Mailbox();
  const parking = new Parking({
    clock,
    settler: {
      park: (_delivery, delayMs) => void parked.push(delayMs),
      parkUnsent: (_delivery, delayMs) => void parked.push(delayMs),
    },
    metrics: { parked: { inc: () => undefined } as unknown as ParkingDeps['metrics']['parked'] },
    random: () => options.random ?? 0,
    mailbox,
    settings: {
      circuit: { unhealthyMs: options.unhealthyMs },
      bulkhead: { capacity: 1 },
    } as ParkingDeps['settings'],
    turns: { expectedMs: options.attemptMs ?? 0 } as ParkingDeps['turns'],
    tenantShare: () => 1,
  });
  return { parking, mailbox, parked };
}

/**
 * The delays of deliveries that the circuit rejects, and of lane deliveries beyond the share,
 * behind `backlog` others.
 */
function waits({ backlog, ...options }: Options & { backlog: number }): {
  circuit: number;
  head: number;
  beyond: number;
} {
  const { parking, mailbox, parked } = parkingOf(options);
  for (let i = 0; i < backlog; i++) parking.parkUntilCircuitCloses(DELIVERY);
  parked.length = 0;
  parking.parkUntilCircuitCloses(DELIVERY);
  parking.parkUntilCircuitCloses({
    ...DELIVERY,
    queueHandle: {} as NonNullable<InFlightDelivery['queueHandle']>,
  });
  mailbox.push(DELIVERY);
  mailbox.push(DELIVERY);
  parking.parkExcess(1);
  const [circuit = 0, head = 0, beyond = 0] = parked;
  return { circuit, head, beyond };
}

const MANY = 50_000;

for (const [lastedMs, waitMs] of [
  [0, 5 * SECOND],
  [4 * SECOND, 5 * SECOND],
  [20 * SECOND, 20 * SECOND],
  [MINUTE, MINUTE],
  [4 * MINUTE, MINUTE],
  [HOUR, 15 * MINUTE],
  [2 * HOUR, 30 * MINUTE],
  [100 * HOUR, 30 * MINUTE],
] as const) {
  test(`a delivery behind many waits ${waitMs / SECOND} s after an outage of ${lastedMs / SECOND} s, from a lane too`, () => {
    const { circuit, head, beyond } = waits({ unhealthyMs: lastedMs, backlog: MANY });
    assert.equal(circuit, waitMs);
    assert.equal(beyond, waitMs);
    assert.equal(head, 5 * SECOND);
  });
}

test('a delivery behind few waits for their return at 20 a second, and at least 5 s', () => {
  assert.equal(waits({ unhealthyMs: HOUR, backlog: 0 }).circuit, 5 * SECOND);
  assert.equal(waits({ unhealthyMs: HOUR, backlog: 50 }).circuit, 5 * SECOND);
  assert.equal(waits({ unhealthyMs: HOUR, backlog: 400 }).circuit, 20 * SECOND);
});

test('a lane delivery beyond the share waits for the duration of attempts when that is longer', () => {
  const unhealthyMs = 20 * SECOND;
  assert.equal(waits({ unhealthyMs, backlog: MANY, attemptMs: 30 * SECOND }).beyond, 30 * SECOND);
  assert.equal(waits({ unhealthyMs, backlog: MANY, attemptMs: HOUR }).beyond, MINUTE);
});

test('a lane delivery beyond the share waits for the duration of attempts while the circuit is closed', () => {
  const closed = { unhealthyMs: undefined, backlog: 0 };
  assert.equal(waits({ ...closed, attemptMs: 2 * SECOND }).beyond, 2 * SECOND);
  assert.equal(waits(closed).beyond, 500);
});

test('a lane that exceeds its share for long is parked for longer, until a pause resets the delay', () => {
  const clock = new ManualClock();
  const options = { unhealthyMs: undefined, attemptMs: 2 * SECOND };
  const { parking, mailbox, parked } = parkingOf(options, clock);
  /** The delay of the last of very many. */
  const waitAfter = (ms: number): number => {
    clock.advance(ms);
    for (let i = 0; i < 2000; i++) mailbox.push(DELIVERY);
    parking.parkExcess(1);
    mailbox.empty();
    return parked.at(-1) ?? Number.NaN;
  };
  assert.equal(waitAfter(0), 2 * SECOND);
  assert.equal(waitAfter(3 * SECOND), 3 * SECOND);
  assert.equal(waitAfter(5 * SECOND), 8 * SECOND);
  for (let i = 0; i < 10; i++) waitAfter(10 * SECOND);
  assert.equal(waitAfter(12 * SECOND), MINUTE);
  assert.equal(waitAfter(121 * SECOND), 2 * SECOND);
});

test('delays get up to 50 % of jitter, so that deliveries parked together do not return together', () => {
  assert.equal(waits({ unhealthyMs: MINUTE, backlog: MANY, random: 1 }).circuit, 90 * SECOND);
});

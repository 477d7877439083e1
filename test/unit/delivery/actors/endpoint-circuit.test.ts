import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { isBrokenCircuitError } from 'cockatiel';
import type { SendResult } from '#infra/http/client/sender.ts';
import { EndpointCircuit } from '#src/delivery/actors/endpoint-circuit.ts';
import { LocalFaultError } from '#src/delivery/local-faults/local-faults.ts';

const HOUR_MS = 3_600_000;
/** The longest delay before a probe. */
const DELAY_MAX_MS = 60_000;

function result(status: number): SendResult {
  const ok = status < 300;
  const failure = { ok, kind: 'http_status', status, detail: '', retryAfterMs: undefined };
  return {
    outcome: (ok ? { ok, status } : failure) as SendResult['outcome'],
    note: undefined,
    repeatedAtMs: undefined,
    responseHeaders: undefined,
    responseBody: Buffer.alloc(0),
  };
}

/** A circuit with a wall clock and a monotonic clock that the test moves. */
function circuitWithClocks(t: TestContext) {
  let wallMs = Date.now();
  let monotonicMs = 1000;
  t.mock.method(Date, 'now', () => wallMs);
  const circuit = new EndpointCircuit(() => monotonicMs);
  return {
    circuit,
    attempt: (status: number) => circuit.policy.execute<SendResult>(async () => result(status)),
    localFault: () =>
      circuit.policy.execute<SendResult>(async () => {
        throw new LocalFaultError('descriptors');
      }),
    pass: (ms: number): void => {
      wallMs += ms;
      monotonicMs += ms;
    },
    setWallClock: (ms: number): void => {
      wallMs += ms;
    },
  };
}

type Clocked = ReturnType<typeof circuitWithClocks>;

async function open({ attempt, circuit }: Clocked): Promise<void> {
  for (let failures = 0; failures < 20; failures++) await attempt(500);
  assert.ok(circuit.isOpen);
}

/** Milliseconds until the circuit admits an attempt, to 100 ms. */
async function delayOf(clocked: Clocked, probe: () => Promise<SendResult>): Promise<number> {
  for (let ms = 0; ; ms += 100) {
    assert.ok(ms <= DELAY_MAX_MS, 'no probe within the longest delay');
    try {
      await probe();
      return ms;
    } catch (error) {
      if (!isBrokenCircuitError(error)) return ms;
    }
    clocked.pass(100);
  }
}

test('the circuit opens after 20 failures in a row and closes with a probe that succeeds', async (t) => {
  const clocked = circuitWithClocks(t);
  const { attempt, circuit, pass } = clocked;
  for (let failures = 0; failures < 19; failures++) await attempt(503);
  await attempt(404);
  for (let failures = 0; failures < 19; failures++) await attempt(429);
  assert.ok(circuit.isClosed, 'another 4xx ends the row');
  await attempt(500);
  assert.ok(circuit.isOpen);
  await assert.rejects(attempt(200), isBrokenCircuitError);
  pass(DELAY_MAX_MS);
  await attempt(200);
  assert.ok(circuit.isClosed);
});

for (const [name, jumpMs] of [
  ['back', -HOUR_MS],
  ['forward', HOUR_MS],
] as const) {
  test(`an open circuit probes after its delay when the wall clock is set ${name}`, async (t) => {
    const clocked = circuitWithClocks(t);
    const { attempt, circuit, pass, setWallClock } = clocked;
    t.mock.method(Math, 'random', () => 0.5);
    await open(clocked);
    setWallClock(jumpMs);
    await assert.rejects(attempt(200), isBrokenCircuitError);
    pass(DELAY_MAX_MS);
    await attempt(200);
    assert.ok(circuit.isClosed);
  });
}

test('the delay before a probe grows with each failed probe', async (t) => {
  t.mock.method(Math, 'random', () => 0.5);
  const clocked = circuitWithClocks(t);
  await open(clocked);
  const first = await delayOf(clocked, () => clocked.attempt(500));
  const second = await delayOf(clocked, () => clocked.attempt(500));
  assert.ok(second > first, `${first} ms, then ${second} ms`);
});

test('a fault of this machine ends a probe without a longer delay before the next', async (t) => {
  t.mock.method(Math, 'random', () => 0.5);
  const clocked = circuitWithClocks(t);
  await open(clocked);
  const first = await delayOf(clocked, clocked.localFault);
  assert.ok(clocked.circuit.isOpen, 'a probe that was not sent does not close the circuit');
  assert.equal(await delayOf(clocked, clocked.localFault), first);
  assert.equal(await delayOf(clocked, () => clocked.attempt(200)), first);
  assert.ok(clocked.circuit.isClosed);
});

test('a closed circuit does not count faults of this machine', async (t) => {
  const { circuit, localFault, attempt } = circuitWithClocks(t);
  for (let failures = 0; failures < 19; failures++) await attempt(500);
  for (let faults = 0; faults < 30; faults++) await assert.rejects(localFault(), LocalFaultError);
  assert.ok(circuit.isClosed);
  await attempt(500);
  assert.ok(circuit.isOpen, 'nor do they end the row of failures');
});

test('unhealthyMs counts from the opening of the circuit to its closing, across failed probes', async (t) => {
  const clocked = circuitWithClocks(t);
  const { attempt, circuit, pass } = clocked;
  assert.equal(circuit.unhealthyMs, undefined);
  await open(clocked);
  pass(DELAY_MAX_MS);
  await attempt(500);
  assert.equal(circuit.unhealthyMs, DELAY_MAX_MS);
  pass(2 * DELAY_MAX_MS);
  assert.equal(circuit.unhealthyMs, 3 * DELAY_MAX_MS);
  await attempt(200);
  assert.equal(circuit.unhealthyMs, undefined);
});

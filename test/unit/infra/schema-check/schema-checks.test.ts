import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FieldError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import { SchemaChecks } from '#src/infra/schema-check/schema-checks.ts';

/** A thread whose checks end when the test says so. */
class HeldThread {
  readonly started: string[] = [];
  private end: (faults: FieldError[]) => void = () => assert.fail('no check runs');

  check(_schema: string, data: Buffer | string): Promise<FieldError[]> {
    this.started.push(data.toString());
    return new Promise((resolve) => {
      this.end = resolve;
    });
  }

  async endCheck(faults: FieldError[] = []): Promise<void> {
    this.end(faults);
    await new Promise(setImmediate);
  }
}

const isOverloaded = { code: 'POSTHORN_OVERLOADED', status: 503 };

test('tenants take turns of equal checks, each in order of arrival', async () => {
  const thread = new HeldThread();
  let nowMs = 0;
  const checks = new SchemaChecks({ thread, now: () => nowMs });
  const all = [
    checks.check('a', '{}', 'a1'),
    checks.check('a', '{}', 'a2'),
    checks.check('a', '{}', 'a3'),
    checks.check('b', '{}', 'b1'),
  ];
  for (let n = 0; n < all.length; n++) {
    nowMs += 10;
    await thread.endCheck();
  }
  await Promise.all(all);
  assert.deepEqual(thread.started, ['a1', 'b1', 'a2', 'a3']);
});

test('a short check waits for one long check when several tenants send long checks without end', async () => {
  const thread = new HeldThread();
  let nowMs = 0;
  const checks = new SchemaChecks({ thread, now: () => nowMs });
  const heavy = ['a', 'b', 'c'];
  const all = heavy.map((owner) => checks.check(owner, '{}', `long ${owner}`));
  const endLong = async (owner: string): Promise<void> => {
    nowMs += 3000;
    await thread.endCheck();
    // Each tenant sends its next event when the last one was answered.
    all.push(checks.check(owner, '{}', `long ${owner}`));
  };
  for (const owner of heavy) await endLong(owner);
  all.push(checks.check('d', '{}', 'short'));
  await endLong('a');
  assert.equal(thread.started.at(-1), 'short');
  for (let n = 0; n < 1 + heavy.length; n++) await thread.endCheck();
  await Promise.all(all);
});

test('each check gets its own faults', async () => {
  const thread = new HeldThread();
  const checks = new SchemaChecks({ thread, now: () => 0 });
  const first = checks.check('a', '{}', '1');
  const second = checks.check('a', '{}', '2');
  const fault = { pointer: '/data', detail: 'must be string' };
  await thread.endCheck([fault]);
  await thread.endCheck();
  assert.deepEqual(await first, [fault]);
  assert.deepEqual(await second, []);
});

test('rejects a check with POSTHORN_OVERLOADED when its tenant holds its share, and takes that of another', async () => {
  const thread = new HeldThread();
  const checks = new SchemaChecks({ thread, now: () => 0 });
  const part = Buffer.alloc(limits.schemaCheckBytesMax / 8);
  const taken = Array.from({ length: 6 }, () => checks.check('a', '{}', part));
  await assert.rejects(checks.check('a', '{}', part), isOverloaded);
  const other = checks.check('b', '{}', part);
  for (let n = 0; n < 7; n++) await thread.endCheck();
  await Promise.all([...taken, other]);
  // Ended checks release their memory.
  const again = checks.check('a', '{}', part);
  await thread.endCheck();
  assert.deepEqual(await again, []);
});

test('rejects a check with POSTHORN_OVERLOADED when its turn comes too late, and runs later ones', async () => {
  const thread = new HeldThread();
  let nowMs = 0;
  const checks = new SchemaChecks({ thread, now: () => nowMs });
  const running = checks.check('a', '{}', 'runs');
  const late = assert.rejects(checks.check('a', '{}', 'late'), isOverloaded);
  nowMs = limits.schemaCheckWaitMsMax + 1;
  const next = checks.check('b', '{}', 'next');
  await thread.endCheck();
  await late;
  await thread.endCheck();
  await Promise.all([running, next]);
  assert.deepEqual(thread.started, ['runs', 'next']);
});

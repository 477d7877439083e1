/** Faults of the worker's own machine: no attempt is counted, and the delivery is sent later. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { devNull } from 'node:os';
import { type TestContext, after, before, test } from 'node:test';
import type { DeliveryRecord } from '#wire/frames/record.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import type { DeliveryClass } from '#wire/subjects.ts';
import { DEAD_LETTER } from '../ordered/ordered-queue.ts';
import { Worker, type WorkerOptions } from '../worker.ts';

/** prlimit and /proc exist only on Linux. */
const skip = process.platform === 'linux' ? false : 'Linux only';
/** Low, so that a test exhausts it quickly; above the need of its servers and connections. */
const DESCRIPTORS_MAX = 512;

const limitOf = (text: string): string => /^Max open files +(\d+)/m.exec(text)?.[1] ?? '';
let former = '';
before(() => {
  if (skip !== false) return;
  former = limitOf(readFileSync('/proc/self/limits', 'utf8'));
  execFileSync('prlimit', ['--pid', String(process.pid), `--nofile=${DESCRIPTORS_MAX}:`]);
});
after(() => {
  if (former !== '') execFileSync('prlimit', ['--pid', String(process.pid), `--nofile=${former}:`]);
});

/** Descriptors that no other code can get. */
class Hoard {
  private readonly taken: number[] = [];

  constructor(t: TestContext) {
    t.after(() => this.release());
    this.takeAll();
  }

  takeAll(): void {
    try {
      for (;;) this.taken.push(openSync(devNull, 'r'));
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'EMFILE');
    }
  }

  /**
   * Takes every descriptor that is closed, until `count` deliveries have failed for lack of one.
   */
  async untilFaults(worker: Worker, count = 1): Promise<void> {
    await waitUntil(
      async () => {
        this.takeAll();
        return (await faults(worker)) >= count;
      },
      { what: `${count} local faults` },
    );
  }

  release(): void {
    for (const descriptor of this.taken.splice(0)) closeSync(descriptor);
  }
}

async function startWorker(t: TestContext, options: WorkerOptions = {}): Promise<Worker> {
  const worker = await Worker.start(t, options);
  worker.receiver.otherwise({ status: 200 });
  return worker;
}

const faults = (worker: Worker): Promise<number> =>
  worker.metric('posthorn_delivery_local_faults_total', { fault: 'descriptors' });
const failures = (worker: Worker): Promise<number> =>
  worker.metric('posthorn_delivery_attempts_total', { outcome: 'failure' });
const attemptsOf = (records: DeliveryRecord[]) => records.flatMap(({ attempt }) => attempt ?? []);

/** Deliveries that need a new descriptor, each for another purpose. */
const PURPOSES: [string, (worker: Worker) => void, DeliveryClass?][] = [
  ['an address', (worker) => worker.endpoint('a', 'ep')],
  [
    'a name, whose look-up fails without a descriptor',
    (worker) => worker.endpoint('a', 'ep', { url: `http://localhost:${worker.receiver.port}/a` }),
  ],
  [
    'an access token',
    (worker) => {
      worker.receiver.on('/token', { status: 200, body: '{"access_token": "t"}' });
      worker.endpoint(
        'a',
        'ep',
        worker.sealed('ep', {
          credentials: {
            type: 'oauth2',
            tokenUrl: `http://localhost:${worker.receiver.port}/token`,
            clientId: 'c',
            clientSecret: 's',
            authMethod: 'client_secret_basic',
          },
        }),
      );
    },
  ],
  ['an ordered endpoint', (worker) => worker.endpoint('a', 'ep', DEAD_LETTER), 'o'],
];
for (const [purpose, configure, deliveryClass] of PURPOSES) {
  test(
    `a delivery is delayed without an attempt when no descriptor is left: ${purpose}`,
    { skip },
    async (t) => {
      const worker = await startWorker(t);
      configure(worker);
      const hoard = new Hoard(t);
      const { delivery } = await worker.publishDelivery(
        'a',
        'ep',
        deliveryClass === undefined ? {} : { deliveryClass },
      );
      await hoard.untilFaults(worker);
      hoard.release();
      const records = await worker.recordsUntil(delivery.id, 'delivered');
      assert.deepEqual(
        attemptsOf(records).map(({ no, failure, status }) => ({ no, failure, status })),
        [{ no: 1, failure: undefined, status: 200 }],
      );
      assert.equal(await failures(worker), 0);
      const reason = { reason: 'local_fault' };
      assert.ok((await worker.metric('posthorn_delivery_parked_total', reason)) > 0);
      await worker.waitUntilEmpty();
    },
  );
}

/** More failures than open a circuit. */
const MANY = 25;

test(
  'a circuit stays closed when many deliveries in a row find no descriptor',
  { skip },
  async (t) => {
    const worker = await startWorker(t);
    worker.endpoint('a', 'ep');
    const hoard = new Hoard(t);
    const published = [];
    for (let n = 0; n < MANY; n++)
      published.push((await worker.publishDelivery('a', 'ep')).delivery.id);
    await hoard.untilFaults(worker, MANY);
    assert.equal(await worker.metric('posthorn_delivery_circuits_open'), 0);
    hoard.release();
    for (const id of published) await worker.recordsUntil(id, 'delivered');
    assert.equal(await worker.metric('posthorn_delivery_parked_total', { reason: 'circuit' }), 0);
    assert.equal(await failures(worker), 0);
  },
);

test(
  'the circuit counts failures before and after local faults as consecutive',
  { skip },
  async (t) => {
    const retryPolicy = { delaysSeconds: [], finalStatuses: [], retryAfterMaxMs: 0 };
    const settings = { endpointInFlightMax: 1 };
    const worker = await startWorker(t, { retryPolicy, settings });
    // Each answer closes its connection, so that the next delivery needs a descriptor.
    worker.receiver.otherwise({ status: 500, headers: { connection: 'close' } });
    worker.endpoint('a', 'ep');
    const open = () => worker.metric('posthorn_delivery_circuits_open');
    for (let n = 0; n < 19; n++) {
      await worker.recordsUntil((await worker.publishDelivery('a', 'ep')).delivery.id, 'failed');
    }
    assert.equal(await open(), 0);
    const hoard = new Hoard(t);
    const { delivery } = await worker.publishDelivery('a', 'ep');
    await hoard.untilFaults(worker);
    hoard.release();
    await worker.recordsUntil(delivery.id, 'failed');
    // The twentieth consecutive failure.
    assert.equal(await open(), 1);
  },
);

test(
  'an open circuit stays open when its probe finds no descriptor, and closes later',
  { skip },
  async (t) => {
    const retryPolicy = {
      delaysSeconds: Array(10).fill(0.3),
      finalStatuses: [],
      retryAfterMaxMs: 0,
    };
    const worker = await startWorker(t, { retryPolicy });
    worker.receiver.otherwise({ status: 500, headers: { connection: 'close' } });
    worker.endpoint('a', 'ep');
    const published = [];
    for (let n = 0; n < MANY; n++)
      published.push((await worker.publishDelivery('a', 'ep')).delivery.id);
    const open = () => worker.metric('posthorn_delivery_circuits_open');
    await waitUntil(async () => (await open()) === 1, { what: 'the circuit is open' });
    // Wait until the request in flight has failed.
    await waitUntil(async () => (await worker.metric('posthorn_delivery_in_flight')) === 0);
    const hoard = new Hoard(t);
    await hoard.untilFaults(worker);
    const failed = await failures(worker);
    assert.equal(await open(), 1);
    worker.receiver.otherwise({ status: 200 });
    hoard.release();
    for (const id of published) await worker.recordsUntil(id, 'delivered');
    assert.equal(await open(), 0);
    assert.equal(await failures(worker), failed);
  },
);

test(
  'a delivery becomes a dead letter without an attempt when it is delayed past its maximum age',
  { skip },
  async (t) => {
    const worker = await startWorker(t, {
      retryPolicy: { delaysSeconds: [1], finalStatuses: [], retryAfterMaxMs: 0, maxAgeMs: 3000 },
    });
    worker.endpoint('a', 'ep');
    const hoard = new Hoard(t);
    const { delivery } = await worker.publishDelivery('a', 'ep');
    await hoard.untilFaults(worker, 2);
    const records = await worker.recordsUntil(delivery.id, 'failed');
    assert.equal(records.at(-1)?.reason, 'too_old');
    assert.deepEqual(attemptsOf(records), []);
    assert.ok((await faults(worker)) > 1);
    assert.equal((await worker.deadLetters()).length, 1);
  },
);

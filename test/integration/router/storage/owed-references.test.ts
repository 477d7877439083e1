/** The oldest event that deliveries need by reference, while deliveries change their state. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JetStreamManager } from '@nats-io/jetstream';
import { OwedReferences } from '#src/router/storage/owed-references.ts';
import { encodeDeliveryFrame } from '#wire/frames/delivery-frame.ts';
import { streams, subjects } from '#wire/subjects.ts';
import { type NatsCore, startNatsCore } from '../../nats-core.ts';

const STREAM = streams.deliveries(0);
/** More than a page of the read. */
const PAGE_AND_MORE = 600;

async function store(core: NatsCore, subject: string, eventSeq: number, hop = 0): Promise<number> {
  const byReference = { id: `evt_${eventSeq}`, type: 'a.b', acceptedMs: 1 };
  const head = { id: 'del_1', endpoint: 'ep_1', attemptNo: 1, hop, eventSeq, byReference };
  const ack = await core.publisher.publishAsync({
    subject,
    payload: encodeDeliveryFrame(head, new Uint8Array()),
    messageId: `${eventSeq}:${hop}`,
    timeoutMs: 20_000,
  });
  return ack.seq;
}

async function storeMany(core: NatsCore, fromSeq: number): Promise<void> {
  const subject = subjects.delivery('acme', 'ep_1');
  await Promise.all(
    Array.from({ length: PAGE_AND_MORE }, (_, i) => store(core, subject, fromSeq + i)),
  );
}

/** A manager that runs a step before its second read of a page. */
function withStep(jsm: JetStreamManager, step: () => Promise<void>): JetStreamManager {
  let reads = 0;
  const direct = Object.assign(Object.create(jsm.direct) as JetStreamManager['direct'], {
    async getBatch(...query: Parameters<JetStreamManager['direct']['getBatch']>) {
      if (++reads === 2) await step();
      return jsm.direct.getBatch(...query);
    },
  });
  return { streams: jsm.streams, direct } as JetStreamManager;
}

test('a delivery is found when it changes its state during the read', async (t) => {
  const core = await startNatsCore(t);
  await storeMany(core, 1000);
  const waiting = subjects.waiting('acme', 'ep_1', 'del_1');
  const last = await store(core, waiting, 5);
  const move = async (): Promise<void> => {
    await store(core, subjects.held('acme', 'ep_1'), 5, 1);
    await core.jsm.streams.deleteMessage(STREAM, last);
  };
  const references = new OwedReferences({ jsm: withStep(core.jsm, move), replicas: 1 });
  const { signal } = new AbortController();
  assert.equal(await references.floor(0, { first: 1, wanted: 100 }, 900, signal), 5);
});

test('a lower bound stays known, and DLV is read again only for a higher one', async (t) => {
  const core = await startNatsCore(t);
  const seq = await store(core, subjects.held('acme', 'ep_1'), 50);
  const references = new OwedReferences({ jsm: core.jsm, replicas: 1 });
  const { signal } = new AbortController();
  const floor = (wanted: number, ceiling: number): Promise<number> =>
    references.floor(0, { first: 1, wanted }, ceiling, signal);
  assert.equal(await floor(20, 900), 50);
  await core.jsm.streams.deleteMessage(STREAM, seq);
  assert.equal(await floor(50, 900), 50);
  assert.equal(await floor(51, 900), 900);
  // No delivery needs an event above the floors of the other readers.
  assert.equal(await floor(2000, 800), 800);
});

test('the end of the stream is read twice when it has several replicas', async (t) => {
  const core = await startNatsCore(t);
  await storeMany(core, 1000);
  // Stored after the first read has reached the end: as if a cut-off leader did not know it.
  let ends = 0;
  const { streams: all, direct } = core.jsm;
  const own = Object.assign(Object.create(all) as JetStreamManager['streams'], {
    async getMessage(...query: Parameters<JetStreamManager['streams']['getMessage']>) {
      const message = await all.getMessage(...query);
      if (message === null && ++ends === 1) await store(core, subjects.held('acme', 'ep_1'), 7);
      return message;
    },
  });
  const jsm = { streams: own, direct } as JetStreamManager;
  const references = new OwedReferences({ jsm, replicas: 3, confirmAfterMs: 1 });
  const { signal } = new AbortController();
  assert.equal(await references.floor(0, { first: 1, wanted: 100 }, 900, signal), 7);
});

/** The storage of each environment is the one that pulumi/storage-plan.ts computes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'yaml';
import { loadSettings } from '#config/load.ts';
import { RESERVE_SHARE, storageMarks, storageShares } from '#domain/storage-shares.ts';
import { streamConfigs } from '#infra/nats/streams/stream-configs.ts';
import {
  OVERHEAD_BYTES,
  RECORD_RETENTION_DAYS,
  storageInputs,
  storagePlan,
} from '../../../pulumi/storage-plan.ts';
import { projectText } from '../../docs/project-files.ts';
import { testSettings } from '../../kit/test-settings.ts';
import { at } from '../manifests.ts';

const CAPACITY = 'docs/operations/sizing/capacity.md';
const DAY_NANOS = 86_400e9;

for (const [environment, inputs] of Object.entries(storageInputs)) {
  const plan = storagePlan(inputs);
  const folder = `argocd/environments/${environment}`;

  test(`${environment}: brokers and processes have the planned storage`, () => {
    const nats: unknown = parse(projectText(`${folder}/nats.yaml`));
    const store = at(nats, 'config', 'jetstream', 'fileStore');
    assert.equal(at(store, 'maxSize'), `${plan.jetStreamGib}Gi`);
    assert.equal(at(store, 'pvc', 'size'), `${plan.volumeGib}Gi`);
    const settings = at(parse(projectText(`${folder}/posthorn.yaml`)), 'settings');
    assert.equal(at(settings, 'POSTHORN_JETSTREAM_BYTES_MAX'), plan.jetStreamBytes);
    assert.equal(at(settings, 'POSTHORN_STREAM_REPLICAS'), inputs.replicas);
    const fallback = loadSettings({}).streams.eventRetentionSeconds;
    const retention = at(settings, 'POSTHORN_EVENT_RETENTION_SECONDS') ?? fallback;
    assert.equal(retention, inputs.eventRetentionDays * 86_400);
    const comment = `${plan.jetStreamGib} GiB, by pulumi/storage-plan.ts`;
    assert.ok(projectText(`${folder}/posthorn.yaml`).includes(comment));
  });

  test(`${environment}: events stay for their retention at the planned load`, () => {
    const bound = plan.jetStreamBytes * storageMarks.purgeFrom;
    assert.ok(plan.eventBytes <= bound * storageShares.events);
    assert.ok(plan.recordBytes <= bound * storageShares.records);
    // All that comes within a day, before anybody repairs what stops the deliveries.
    assert.ok(plan.reserveHours >= 24, String(plan.reserveHours));
    assert.ok(plan.jetStreamGib <= plan.volumeGib * 0.9);
  });
}

test('records expire after the planned time', () => {
  const records = streamConfigs(testSettings().streams).find(({ name }) => name === 'ATT-0');
  assert.equal(records?.max_age, RECORD_RETENTION_DAYS * DAY_NANOS);
});

test('the page on capacity shows the figures of the plan', () => {
  const text = projectText(CAPACITY);
  const { prod } = storageInputs;
  const terabytes = (times: number, days: number): number => {
    const inputs = { ...prod, deliveriesPerMonth: prod.deliveriesPerMonth * times };
    return storagePlan({ ...inputs, eventRetentionDays: days }).eventBytes / 1e12;
  };
  const week = `${terabytes(1, 7).toFixed(2)} TB | ${terabytes(10, 7).toFixed(1)} TB`;
  assert.ok(text.includes(`| \`EV-k\` for a week, on each broker | ${week} |`), week);
  const [day, ten, most] = [1, 10, 25].map((times) => terabytes(times, 1));
  const days = `${day?.toFixed(2)} TB | ${ten?.toFixed(1)} TB | ${most?.toFixed(1)} TB`;
  assert.ok(text.includes(`| \`EV-k\` for a day, on each broker | ${days} |`), days);
  const percent = (share: number): string => `${Math.round(share * 100)} %`;
  const { event, records, delivery } = OVERHEAD_BYTES;
  const bytes = (count: number): string => count.toLocaleString('en-US');
  for (const figure of [
    `× (bytes of \`data\` + ${event}) ×`,
    `× ${records} bytes × ${RECORD_RETENTION_DAYS} days`,
    `\`EV-k\` / ${percent(storageShares.events)} and \`ATT-k\` / ${percent(storageShares.records)}, divided by ${percent(storageMarks.purgeFrom)}`,
    `| ${bytes(prod.eventBytes + event)} bytes |`,
    `| ${bytes(prod.eventBytes + delivery)} bytes |`,
    `removed, down to ${percent(storageMarks.purgeTo)}`,
    `${percent(storageMarks.refuseFrom)} of the storage`,
    `less than ${percent(storageMarks.acceptBelow)} is used`,
    `The last ${percent(RESERVE_SHARE)} of the storage`,
  ]) {
    assert.ok(text.includes(figure), figure);
  }
});

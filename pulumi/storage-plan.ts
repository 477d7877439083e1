/**
 * Computes the storage of the brokers of each environment, in this one place: the volumes, the
 * bounds of JetStream and of Posthorn, the estimate of costs and the figures in
 * docs/operations/sizing/capacity.md are compared with it.
 */
import { RESERVE_SHARE, storageMarks, storageShares } from '../src/domain/storage-shares.ts';

/** The load that an environment is sized for, and how long data is kept. */
export interface StorageInputs {
  /** Each event has one delivery: a larger fan-out needs a plan of its own. */
  deliveriesPerMonth: number;
  /** Mean size of `data`. */
  eventBytes: number;
  eventRetentionDays: number;
  /** Of the streams; each broker has one replica of every stream. */
  replicas: number;
  /** The least size of a volume: smaller ones are too slow, or not worth their care. */
  volumeGibMin: number;
}

const common = { eventBytes: 2000, eventRetentionDays: 7, replicas: 3, volumeGibMin: 10 };

/** Environments whose storage is planned. prod: 1,000,000 deliveries in each hour of the month. */
export const storageInputs = {
  dev: { ...common, deliveriesPerMonth: 3e6 },
  stage: { ...common, deliveriesPerMonth: 73e6 },
  prod: { ...common, deliveriesPerMonth: 730e6 },
} as const satisfies Record<string, StorageInputs>;

/**
 * Bytes that nats-server counts besides `data`, rounded up from a run with events of 2,000 bytes:
 * 363 for an event, 820 for the records of a delivery with one attempt, 499 for a pending delivery.
 */
export const OVERHEAD_BYTES = { event: 400, records: 900, delivery: 550 };

/** Records are kept this long (`stream-configs.ts`). */
export const RECORD_RETENTION_DAYS = 3;
const DAY_SECONDS = 86_400;
const MONTH_SECONDS = 730 * 3600;
const GIB = 1024 ** 3;
/** Of a volume, the part that JetStream may store. The rest is for indexes and removed blocks. */
const VOLUME_SHARE = 0.9;
const VOLUME_STEP_GIB = 10;

/** Sizes for each broker. */
export interface StoragePlan {
  deliveriesPerSecond: number;
  /** Of `EV-k` together, for the whole retention. */
  eventBytes: number;
  /** Of `ATT-k` together, for the whole retention. */
  recordBytes: number;
  /** `POSTHORN_JETSTREAM_BYTES_MAX`, and `maxSize` of the chart of NATS. */
  jetStreamGib: number;
  jetStreamBytes: number;
  volumeGib: number;
  volumesGibTogether: number;
  /** How long deliveries at the planned rate, all of them pending, fit the reserve. */
  reserveHours: number;
}

/**
 * Streams that keep messages for a time fill `purgeFrom` of their bounds at the planned load, and
 * the storage is the smallest of which their shares are these bounds.
 */
export function storagePlan(inputs: StorageInputs): StoragePlan {
  const { eventBytes: dataBytes, eventRetentionDays, volumeGibMin, replicas } = inputs;
  const rate = inputs.deliveriesPerMonth / MONTH_SECONDS;
  const kept = (bytes: number, days: number): number => rate * bytes * days * DAY_SECONDS;
  const eventBytes = kept(dataBytes + OVERHEAD_BYTES.event, eventRetentionDays);
  const recordBytes = kept(OVERHEAD_BYTES.records, RECORD_RETENTION_DAYS);
  const needed = Math.max(eventBytes / storageShares.events, recordBytes / storageShares.records);
  const wantedGib = Math.ceil(needed / storageMarks.purgeFrom / GIB);
  const steps = Math.ceil(wantedGib / VOLUME_SHARE / VOLUME_STEP_GIB);
  const volumeGib = Math.max(volumeGibMin, steps * VOLUME_STEP_GIB);
  const jetStreamGib = Math.floor(volumeGib * VOLUME_SHARE);
  const jetStreamBytes = jetStreamGib * GIB;
  const deliveryBytes = dataBytes + OVERHEAD_BYTES.delivery;
  return {
    deliveriesPerSecond: rate,
    eventBytes,
    recordBytes,
    jetStreamGib,
    jetStreamBytes,
    volumeGib,
    volumesGibTogether: volumeGib * replicas,
    reserveHours: (jetStreamBytes * RESERVE_SHARE) / (rate * deliveryBytes) / 3600,
  };
}

const gb = (bytes: number): string => (bytes / 1e9).toFixed(1);

/** The plan of all environments, as a table in Markdown. */
export function storageTable(): string {
  const plans = Object.entries(storageInputs).map(([name, inputs]) => ({
    name,
    inputs,
    plan: storagePlan(inputs),
  }));
  type Planned = (typeof plans)[number];
  const row = (first: string, cell: (planned: Planned) => string): string =>
    `| ${[first, ...plans.map(cell)].join(' | ')} |`;
  return [
    row('Each broker', ({ name }) => name),
    row('---', () => '---'),
    row('Deliveries a second', ({ plan }) => plan.deliveriesPerSecond.toFixed(1)),
    row('Bytes of `data`', ({ inputs }) => inputs.eventBytes.toLocaleString('en-US')),
    row('Retention of events, days', ({ inputs }) => String(inputs.eventRetentionDays)),
    row('`EV-k`, GB', ({ plan }) => gb(plan.eventBytes)),
    row('`ATT-k`, GB', ({ plan }) => gb(plan.recordBytes)),
    row(
      '`POSTHORN_JETSTREAM_BYTES_MAX`, and `maxSize`, GiB',
      ({ plan }) => `**${plan.jetStreamGib}**`,
    ),
    row('Volume, GiB', ({ plan }) => `**${plan.volumeGib}**`),
    row('Reserve for deliveries, hours of the load', ({ plan }) => plan.reserveHours.toFixed(0)),
  ].join('\n');
}

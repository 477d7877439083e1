/**
 * Every stream, subject, consumer and KV name, and the functions that build and parse them. No
 * other module writes a subject by hand (design: docs/architecture.md, "Streams").
 *
 * `tenant` in the subjects of data is a life id (`domain/tenant.ts`): the tenant id in the tenant's
 * first life, and `<tenant id>=<life>` in later ones. Requests of producers carry the tenant id.
 */
import { tenantIdOf } from '#domain/tenant.ts';

/** Never changes: subjects of a tenant carry its partition, and streams own partitions. */
export const PARTITIONS = 256;

/** FNV-1a, 32 bits, of the UTF-8 bytes: as the server's `{{partition(n,1)}}` (NATS ADR-30). */
export function fnv1a32(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash ^= text.charCodeAt(i);
    hash = Math.imul(hash, 0x01000193);
  }
  return hash >>> 0;
}

/** The partition (0 to 255) of a tenant, in all its lives. Tenant ids are ASCII. */
export function partitionOf(tenant: string): number {
  return fnv1a32(tenantIdOf(tenant)) % PARTITIONS;
}

export const streams = {
  events: (shard: number) => `EV-${shard}`,
  deliveries: (shard: number) => `DLV-${shard}`,
  records: (shard: number) => `ATT-${shard}`,
  deadLetters: 'DLQ',
  rejected: 'REJECTED',
  broadcasts: 'BCAST',
  /** The first event of each deduplication digest. */
  firstEvents: 'DEDUP',
  /** The numbers of deliveries to endpoints that are sequenced. */
  sequences: 'SEQ',
} as const;

export const consumers = {
  router: 'router',
  projector: 'projector',
  broadcaster: 'broadcaster',
  /** Normal priority, of every tenant without its own lane. */
  deliverShared: 'deliver-shared',
  /** High priority (IN-11). */
  deliverHigh: 'deliver-high',
  /** Retries, parked, released and replayed deliveries: new deliveries never queue behind these. */
  deliverRepeats: 'deliver-again',
  /** Of a tenant with its own lane. */
  lane: laneConsumer,
} as const;

const LANE_PREFIX = 'lane-';

/**
 * The name of a tenant's own consumer. nats-server keeps a consumer in a folder of its name, on a
 * file system that may ignore case. So `+` precedes each upper-case letter; tenant ids have no `+`.
 */
function laneConsumer(tenant: string): string {
  return LANE_PREFIX + tenant.replaceAll(/[A-Z]/g, (letter) => `+${letter.toLowerCase()}`);
}

/** The tenant whose lane a consumer is; undefined for every other consumer. */
export function tenantOfLane(consumer: string): string | undefined {
  if (!consumer.startsWith(LANE_PREFIX)) return undefined;
  const name = consumer.slice(LANE_PREFIX.length);
  return name.replaceAll(/\+([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** A consumer's name for metrics: all lanes are `lanes`, so that their names stay a closed set. */
export function consumerKind(consumer: string): string {
  return tenantOfLane(consumer) === undefined ? consumer : 'lanes';
}

export const buckets = {
  config: 'CONFIG',
  leases: 'LEASES',
  lanes: 'LANES',
  ordered: 'ORDERED',
  behind: 'BEHIND',
  rates: 'RATES',
  payloads: 'PAYLOADS',
} as const;

/** Token of a runnable delivery's subject, which decides the consumer that takes it. */
export type DeliveryClass = 'h' | 's' | 't' | 'r' | 'o' | 'p';

/** Segments between dots, valid as they are in subjects and bucket keys. */
const PLAIN_TYPE = /^[\w-]+(\.[\w-]+)*$/;

/**
 * Encodes the name of an event type as tokens of a subject, or part of a key of CONFIG. Characters
 * other than letters, digits, `_`, `-` and dots between them become `=XX` for each UTF-8 byte.
 */
export function encodeEventType(type: string): string {
  if (PLAIN_TYPE.test(type)) return type;
  return (
    type
      .replaceAll(/[^\w.-]+/g, (run) =>
        Buffer.from(run).toString('hex').toUpperCase().replaceAll(/../g, '=$&'),
      )
      // A token must not be empty.
      .replaceAll(/^\.|\.$|\.(?=\.)/g, '=2E')
  );
}

/** Reverses `encodeEventType`. Characters that are not encoded are kept. */
export function decodeEventType(tokens: string): string {
  if (!tokens.includes('=')) return tokens;
  return tokens.replaceAll(/(?:=[0-9A-F]{2})+/g, (run) =>
    Buffer.from(run.replaceAll('=', ''), 'hex').toString(),
  );
}

/** The queues of an endpoint that is polled. */
export const pollQueues = ['back', 'poll'] as const;
export type PollQueueName = (typeof pollQueues)[number];

function pollQueue(tenant: string, endpoint: string, queue: PollQueueName): string {
  return `dlv.${partitionOf(tenant)}.o.${tenant}.${endpoint}.${queue}`;
}

export const subjects = {
  event: (tenant: string, type: string) =>
    `ev.${partitionOf(tenant)}.${tenant}.${encodeEventType(type)}`,
  /** All events of one life of a tenant. */
  eventsOf: (lifeId: string) => `ev.${partitionOf(lifeId)}.${lifeId}.>`,
  /** The key of a shard in the bucket BEHIND. */
  behind: (shard: number) => `$KV.${buckets.behind}.shard.${shard}`,
  /** Runnable deliveries: the consumers' filters cover these. */
  delivery: (tenant: string, endpoint: string, deliveryClass: DeliveryClass = 's') =>
    deliveryClass === 'p'
      ? pollQueue(tenant, endpoint, 'poll')
      : `dlv.${partitionOf(tenant)}.${deliveryClass}.${tenant}.${endpoint}`,
  /** A queue of an endpoint that is polled: `poll` of new deliveries, `back` of expired leases. */
  pollQueue,
  /** All queues of a shard's endpoints that are polled. */
  pollQueuesOfAll: 'dlv.*.o.*.*.*',
  /** Notice of a message stored in such a queue: `wake.<shard>.<tenant>.<endpoint>.<queue>`. */
  pollWake: (shard: number) => `wake.${shard}.*.*.*`,
  /** Requests of pollers to the worker that owns a shard. */
  pollRequests: (shard: number | '*') => `poll.${shard}`,
  /** Scheduled: one schedule per subject, so it contains the delivery id. No filter covers `w`. */
  waiting: (tenant: string, endpoint: string, delivery: string) =>
    `dlv.${partitionOf(tenant)}.w.${tenant}.${endpoint}.${delivery}`,
  /** Held while its endpoint is paused or disabled. No filter covers `x`. */
  held: (tenant: string, endpoint: string) => `dlv.${partitionOf(tenant)}.x.${tenant}.${endpoint}`,
  /** Queue of an ordered endpoint; the lowest sequence is its head. No filter covers `o`. */
  ordered: (tenant: string, endpoint: string) =>
    `dlv.${partitionOf(tenant)}.o.${tenant}.${endpoint}`,
  /** All queues of a shard. */
  orderedOfAll: 'dlv.*.o.*.*',
  /** All subjects that a worker reads by sequence. */
  queuesOfAll: 'dlv.*.o.>',
  /** Notice of a message stored in a queue: `wake.<shard>.<tenant>.<endpoint>`. Not stored. */
  orderedWake: (shard: number) => `wake.${shard}.*.*`,
  /** All notices. */
  wake: (shard: number | string) => `wake.${shard}.>`,
  /** Requests to the worker that owns a shard, about the heads of its queues. */
  orderedActions: (shard: number) => `ordered.${shard}`,
  /** Requests to any worker, to send one event to an endpoint now (`endpoint-request.ts`). */
  endpointRequests: 'endpoint.request',
  /** The subjects of a tenant's own lane. */
  lane: (tenant: string) => `dlv.${partitionOf(tenant)}.t.${tenant}.>`,
  /** All that is stored for the lanes of a shard; one subject for each endpoint. */
  lanesOfAll: 'dlv.*.t.>',
  /** All deliveries of one life of a tenant. */
  deliveriesOf: (lifeId: string) => `dlv.${partitionOf(lifeId)}.*.${lifeId}.>`,
  /** All that is held in a shard; one subject for each endpoint. */
  heldOfAll: 'dlv.*.x.>',
  /** @param shard of one stream, or `*` for all */
  records: (shard: number | '*') => `att.${shard}`,
  deadLetter: (tenant: string, endpoint: string) =>
    `dlq.${partitionOf(tenant)}.${tenant}.${endpoint}`,
  /** An event to every tenant (RT-5). Its id is a token: event ids hold no dot, star or space. */
  broadcast: (id: string) => `bc.event.${id}`,
  broadcasts: 'bc.event.*',
  /** The progress of a broadcast. */
  broadcastProgress: (id: string) => `bc.progress.${id}`,
  /** Requests of producers over NATS: no stream covers these (IN-4). */
  requests: 'in.*.>',
  /** @param tenant its id, or `*` for every tenant */
  requestsOf: (tenant: string) => `in.${tenant}.>`,
  /** Requests of control to one process (`lives/life-view.ts`). */
  lifeView: (name: string) => `view.${name}`,
  /** Reports of used API keys to control (`wire/key-uses.ts`). */
  keyUses: 'keys.used',
  /** Rejected messages that producers sent over NATS without a reply subject. */
  rejected: (tenant: string) => `rej.${partitionOf(tenant)}.${tenant}`,
  /** The first event of a tenant with this digest (IN-7). */
  firstEvent: (tenant: string, digest: string) => `dup.${partitionOf(tenant)}.${tenant}.${digest}`,
  /** The numbers of the deliveries to a sequenced endpoint, in their order (DL-23). */
  sequence: (tenant: string, endpoint: string) =>
    `seq.${partitionOf(tenant)}.${tenant}.${endpoint}`,
} as const;

/**
 * The prefix of the inboxes of a process, by its roles: a user of one role may read the answers to
 * its own requests only.
 */
export function inboxPrefixOf(roles: readonly string[]): string {
  return `_INBOX.posthorn.${roles.join('-')}`;
}

/** Tenant and endpoint of `wake.<shard>.<tenant>.<endpoint>`. */
export function parseWakeSubject(subject: string): { tenant: string; endpoint: string } {
  const [, , tenant = '', endpoint = ''] = subject.split('.');
  return { tenant, endpoint };
}

export const configKeys = {
  tenant: (id: string) => `tenant.${id}`,
  eventType: (name: string) => `type.${encodeEventType(name)}`,
  apiKey: (hash: string) => `key.${hash}`,
  /** @param name `<session id>` or `tenant.<life id>` */
  revocation: (name: string) => `revoked.${name}`,
  /** Present once the bucket holds all that MongoDB has. */
  complete: 'complete',
} as const;

/** All data of one life of a tenant in streams and buckets, by stream or bucket. */
export function subjectsOfLife(
  lifeId: string,
  shards: number,
): { stream: string; filter: string }[] {
  const p = partitionOf(lifeId);
  const shard = shardOf(lifeId, shards);
  return [
    { stream: streams.events(shard), filter: subjects.eventsOf(lifeId) },
    { stream: streams.deliveries(shard), filter: subjects.deliveriesOf(lifeId) },
    { stream: streams.deadLetters, filter: `dlq.${p}.${lifeId}.>` },
    { stream: streams.rejected, filter: subjects.rejected(lifeId) },
    { stream: streams.firstEvents, filter: `dup.${p}.${lifeId}.>` },
    { stream: streams.sequences, filter: `seq.${p}.${lifeId}.>` },
    { stream: `KV_${buckets.ordered}`, filter: `$KV.${buckets.ordered}.${lifeId}.>` },
  ];
}

/** The kind and the id or name in a key of CONFIG. */
export function parseConfigKey(key: string): { kind: string; name: string } {
  const dot = key.indexOf('.');
  const kind = key.slice(0, Math.max(0, dot));
  const name = key.slice(dot + 1);
  return { kind, name: kind === 'type' ? decodeEventType(name) : name };
}

/** Whose leases on shards: routers and delivery workers divide the shards independently. */
export type LeaseKind = 'router' | 'delivery';

/**
 * Keys of the bucket LEASES: `<kind>.worker.<name>` shows that a worker is alive,
 * `<kind>.shard.<k>` names the owner of a shard. Every process has a key of the kind `view`;
 * that kind owns no shards.
 */
export function leaseKeys(kind: LeaseKind | 'view'): {
  /** @param name of one, or `*` for all */
  worker: (name: string) => string;
  shard: (shard: number | '*') => string;
  /** The shard of a shard's key; undefined for a worker's. */
  shardOf: (key: string) => number | undefined;
} {
  const shardPrefix = `${kind}.shard.`;
  return {
    worker: (name) => `${kind}.worker.${name}`,
    shard: (shard) => shardPrefix + shard,
    shardOf: (key) =>
      key.startsWith(shardPrefix) ? Number(key.slice(shardPrefix.length)) : undefined,
  };
}

/** The shard that owns a tenant's partition. */
export function shardOf(tenant: string, shards: number): number {
  return partitionOf(tenant) % shards;
}

/** The subjects of a shard's stream: one for each partition that it owns. */
export function shardSubjects(root: 'ev' | 'dlv', shard: number, shards: number): string[] {
  const out: string[] = [];
  for (let p = shard; p < PARTITIONS; p += shards) out.push(`${root}.${p}.>`);
  return out;
}

/** Tenant and type of `ev.<p>.<tenant>.<type>`. */
export function parseEventSubject(subject: string): { tenant: string; type: string } {
  const a = subject.indexOf('.', 3);
  const b = subject.indexOf('.', a + 1);
  return { tenant: subject.slice(a + 1, b), type: decodeEventType(subject.slice(b + 1)) };
}

/** Tenant of `ev.<p>.<tenant>.<type>`. */
export function tenantOfEvent(subject: string): string {
  const at = subject.indexOf('.', 3) + 1;
  return subject.slice(at, subject.indexOf('.', at));
}

/** Id of `bc.event.<id>`. */
export function parseBroadcastSubject(subject: string): string {
  return subject.slice('bc.event.'.length);
}

/**
 * Tenant and type of `in.<tenant>.<type>`, unchecked. A producer may write a type unencoded if it
 * is a valid subject, or encoded.
 */
export function parseRequestSubject(subject: string): { tenant: string; type: string } {
  const dot = subject.indexOf('.', 3);
  return { tenant: subject.slice(3, dot), type: decodeEventType(subject.slice(dot + 1)) };
}

/** Tenant and endpoint of `dlq.<p>.<tenant>.<endpoint>`. */
export function parseDeadLetterSubject(subject: string): { tenant: string; endpoint: string } {
  const [, , tenant = '', endpoint = ''] = subject.split('.');
  return { tenant, endpoint };
}

/** The parts of `dlv.<p>.<class>.<tenant>.<endpoint>`, and of the longer subjects that begin so. */
export function parseDeliverySubject(subject: string): {
  deliveryClass: string;
  tenant: string;
  endpoint: string;
} {
  const classAt = subject.indexOf('.', 4) + 1;
  const tenantAt = subject.indexOf('.', classAt) + 1;
  const endpointAt = subject.indexOf('.', tenantAt) + 1;
  const end = subject.indexOf('.', endpointAt);
  return {
    deliveryClass: subject.slice(classAt, tenantAt - 1),
    tenant: subject.slice(tenantAt, endpointAt - 1),
    endpoint: end < 0 ? subject.slice(endpointAt) : subject.slice(endpointAt, end),
  };
}

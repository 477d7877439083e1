/**
 * The rights of each role in NATS: the least with which it works, as subjects that it may publish
 * to and subscribe to. `charts/nats/users.yaml` and `posthorn nats-users` are generated from them.
 *
 * A right to read a stream is the right to publish to the subjects of the JetStream API that read
 * it, and to receive answers in the role's own inbox. A role that uses a new stream, bucket or
 * consumer gets one line here. `test/e2e/operations/least-rights.test.ts` runs every role with its
 * rights and fails at each subject that is missing.
 */
import {
  buckets,
  consumers,
  inboxPrefixOf,
  type LeaseKind,
  leaseKeys,
  streams,
  subjects,
} from '#wire/subjects.ts';
import { allStreams } from '../streams/streams.ts';

/** The users of NATS. The probe has none: it uses the API alone. */
export const natsUsers = ['ingress', 'router', 'delivery', 'control', 'migrate'] as const;
export type NatsUser = (typeof natsUsers)[number];

/** As in the configuration of nats-server. */
export interface NatsPermissions {
  publish: { allow: string[] };
  subscribe: { allow: string[] };
  /** Whether it may answer a request that it received, at the request's reply subject. */
  allow_responses: boolean;
}

/** The name of a role's user. */
export function natsUserName(user: NatsUser): string {
  return `posthorn-${user}`;
}

/**
 * The rights of a user.
 *
 * @param shards at least the number of shards of the installation
 */
export function natsPermissions(user: NatsUser, shards: number): NatsPermissions {
  const { publish, subscribe } = rights[user](shards);
  const inbox = `${inboxPrefixOf([user])}.>`;
  return {
    publish: { allow: [...new Set([...exists(shards), ...publish])] },
    subscribe: { allow: [inbox, ...subscribe] },
    allow_responses: subscribe.length > 0,
  };
}

interface Rights {
  publish: string[];
  subscribe: string[];
}

const API = '$JS.API';
const BUCKET = {
  config: `KV_${buckets.config}`,
  leases: `KV_${buckets.leases}`,
  lanes: `KV_${buckets.lanes}`,
  ordered: `KV_${buckets.ordered}`,
  behind: `KV_${buckets.behind}`,
  rates: `KV_${buckets.rates}`,
  payloads: `OBJ_${buckets.payloads}`,
} as const;

/**
 * Finds streams, and creates missing ones. A stream that exists cannot be changed with it: the
 * server refuses another configuration under a name in use.
 */
function exists(shards: number): string[] {
  return [
    `${API}.INFO`,
    `${API}.STREAM.NAMES`,
    `${API}.STREAM.INFO.*`,
    ...allStreams(shards).map((stream) => `${API}.STREAM.CREATE.${stream}`),
  ];
}

/** Reads messages of a stream by sequence or subject, without a consumer. */
const get = (stream: string): string[] => [
  `${API}.STREAM.MSG.GET.${stream}`,
  `${API}.DIRECT.GET.${stream}`,
  `${API}.DIRECT.GET.${stream}.>`,
];

/** Creates, finds, reads and resets a consumer of a stream, and acks its messages. */
const consume = (stream: string, consumer: string): string[] => [
  ...keep(stream, consumer),
  `${API}.CONSUMER.MSG.NEXT.${stream}.${consumer}`,
  `${API}.CONSUMER.RESET.${stream}.${consumer}`,
  ...ack(stream, consumer),
];

/** Acks in both forms of the subject: with and without the domain and the hash of the account. */
const ack = (stream: string, consumer: string): string[] => [
  `$JS.ACK.${stream}.${consumer}.>`,
  `$JS.ACK.*.*.${stream}.${consumer}.>`,
];

/** Creates and finds a consumer of a stream. */
const keep = (stream: string, consumer: string): string[] => [
  `${API}.CONSUMER.CREATE.${stream}.${consumer}`,
  `${API}.CONSUMER.CREATE.${stream}.${consumer}.>`,
  `${API}.CONSUMER.INFO.${stream}.${consumer}`,
  `${API}.CONSUMER.LIST.${stream}`,
];

/** Watches a bucket: the client creates a consumer under its own name, and deletes it. */
const watch = (bucket: string): string[] => [
  ...get(bucket),
  `${API}.CONSUMER.CREATE.${bucket}.>`,
  `${API}.CONSUMER.INFO.${bucket}.*`,
  `${API}.CONSUMER.DELETE.${bucket}.*`,
  `$JS.FC.${bucket}.>`,
];

/** Reads a stream by consumers of its own, which ack nothing, and without one. */
const tail = (stream: string): string[] => [
  ...get(stream),
  `${API}.CONSUMER.CREATE.${stream}.>`,
  `${API}.CONSUMER.INFO.${stream}.*`,
  `${API}.CONSUMER.DELETE.${stream}.*`,
  `$JS.FC.${stream}.>`,
];

/** Purges what all readers of a stream have finished (`router/storage/`). */
const relieve = (stream: string): string[] => [
  `${API}.STREAM.PURGE.${stream}`,
  `${API}.CONSUMER.INFO.${stream}.${consumers.projector}`,
  `${API}.DIRECT.GET.${stream}`,
];

const write = (bucket: string, key: string): string => `$KV.${bucket}.${key}`;

/** Reads the objects of large events. */
const readPayloads = get(BUCKET.payloads).concat(
  `${API}.CONSUMER.CREATE.${BUCKET.payloads}.>`,
  `${API}.CONSUMER.INFO.${BUCKET.payloads}.*`,
  `${API}.CONSUMER.DELETE.${BUCKET.payloads}.*`,
  `$JS.FC.${BUCKET.payloads}.>`,
);

/** What every process does: it follows the configuration, and answers for the lives of tenants. */
const process: Rights = {
  publish: [
    ...watch(BUCKET.config),
    ...watch(BUCKET.lanes),
    ...watch(BUCKET.leases),
    write(buckets.leases, leaseKeys('view').worker('*')),
  ],
  subscribe: [subjects.lifeView('*')],
};

/** Keeps the shares of rate limits in step with the other processes that admit requests. */
const shareRates = [...watch(BUCKET.rates), write(buckets.rates, '*')];

const ownShards = (kind: LeaseKind): string[] => [
  write(buckets.leases, leaseKeys(kind).worker('*')),
  write(buckets.leases, leaseKeys(kind).shard('*')),
];

const each = (shards: number, of: (shard: number) => string[]): string[] =>
  Array.from({ length: shards }, (_, shard) => of(shard)).flat();

const rights: Record<NatsUser, (shards: number) => Rights> = {
  ingress: (shards) => ({
    publish: [
      ...process.publish,
      ...shareRates,
      'ev.>',
      'dup.>',
      'rej.>',
      subjects.keyUses,
      subjects.broadcasts,
      ...readPayloads,
      `$O.${buckets.payloads}.>`,
      `${API}.STREAM.PURGE.${BUCKET.payloads}`,
      // The room that is left in the streams.
      `${API}.STREAM.LIST`,
      ...get(streams.firstEvents),
      `${API}.STREAM.MSG.DELETE.${streams.firstEvents}`,
      ...get(streams.broadcasts),
      // To compare a repeat with the stored event.
      ...each(shards, (shard) => get(streams.events(shard))),
    ],
    subscribe: [...process.subscribe, subjects.requests, '$SYS.REQ.USER.AUTH'],
  }),
  router: (shards) => ({
    publish: [
      ...process.publish,
      ...ownShards('router'),
      // Tenants that are behind.
      write(buckets.behind, '>'),
      ...get(BUCKET.behind),
      // Copies of broadcast events.
      'ev.>',
      'dlv.>',
      'att.*',
      // Numbers of the deliveries to sequenced endpoints.
      'seq.>',
      ...get(streams.sequences),
      subjects.broadcastProgress('*'),
      ...readPayloads,
      ...consume(streams.broadcasts, consumers.broadcaster),
      ...get(streams.broadcasts),
      ...relieve(streams.deadLetters),
      ...each(shards, (shard) => [
        ...consume(streams.events(shard), consumers.router),
        ...get(streams.events(shard)),
        ...relieve(streams.events(shard)),
        ...relieve(streams.records(shard)),
        // The oldest delivery by reference bounds each purge.
        ...get(streams.deliveries(shard)),
        // The pace of broadcasts.
        `${API}.CONSUMER.INFO.${streams.deliveries(shard)}.${consumers.deliverShared}`,
      ]),
    ],
    subscribe: process.subscribe,
  }),
  delivery: (shards) => ({
    publish: [
      ...process.publish,
      ...ownShards('delivery'),
      'dlv.>',
      'dlq.>',
      'att.*',
      write(buckets.ordered, '>'),
      ...get(BUCKET.ordered),
      `${API}.STREAM.MSG.DELETE.${BUCKET.ordered}`,
      write(buckets.lanes, '*'),
      ...readPayloads,
      ...each(shards, (shard) => [
        // Every consumer: lanes have the names of tenants.
        ...consume(streams.deliveries(shard), '*'),
        `${API}.CONSUMER.DELETE.${streams.deliveries(shard)}.*`,
        ...get(streams.deliveries(shard)),
        `${API}.STREAM.MSG.DELETE.${streams.deliveries(shard)}`,
        // Events that are delivered by reference.
        ...get(streams.events(shard)),
      ]),
    ],
    subscribe: [
      ...process.subscribe,
      subjects.wake('*'),
      'ordered.*',
      subjects.pollRequests('*'),
      subjects.endpointRequests,
    ],
  }),
  control: (shards) => ({
    publish: [
      ...process.publish,
      ...shareRates,
      // Operational events, and deliveries of the API: replays, retries, cancellations.
      'ev.>',
      'dlv.>',
      'att.*',
      'dlq.>',
      subjects.broadcastProgress('*'),
      write(buckets.config, '>'),
      write(buckets.lanes, '*'),
      write(buckets.ordered, '>'),
      'ordered.*',
      subjects.pollRequests('*'),
      subjects.endpointRequests,
      subjects.lifeView('*'),
      subjects.keyUses,
      ...readPayloads,
      `$O.${buckets.payloads}.>`,
      ...consume(streams.deadLetters, consumers.projector),
      ...[
        streams.deadLetters,
        streams.rejected,
        streams.broadcasts,
        streams.firstEvents,
        streams.sequences,
      ].flatMap(get),
      ...get(BUCKET.ordered),
      ...get(BUCKET.behind),
      ...allStreams(shards).map((stream) => `${API}.STREAM.UPDATE.${stream}`),
      // Metrics of the queues.
      ...allStreams(shards).map((stream) => `${API}.CONSUMER.LIST.${stream}`),
      // The data of a deleted tenant.
      ...allStreams(shards).map((stream) => `${API}.STREAM.PURGE.${stream}`),
      ...each(shards, (shard) => [
        ...consume(streams.events(shard), consumers.projector),
        ...consume(streams.records(shard), consumers.projector),
        // Replays wait while live traffic has a backlog.
        `${API}.CONSUMER.INFO.${streams.events(shard)}.${consumers.router}`,
        ...[consumers.deliverShared, consumers.deliverRepeats].map(
          (name) => `${API}.CONSUMER.INFO.${streams.deliveries(shard)}.${name}`,
        ),
        ...tail(streams.events(shard)),
        ...tail(streams.records(shard)),
        ...get(streams.deliveries(shard)),
        `${API}.STREAM.MSG.DELETE.${streams.deliveries(shard)}`,
      ]),
    ],
    subscribe: [...process.subscribe, subjects.keyUses],
  }),
  // It creates and changes everything, and reads no message.
  migrate: (shards) => ({
    publish: [
      ...allStreams(shards).flatMap((stream) => [
        `${API}.STREAM.UPDATE.${stream}`,
        `${API}.CONSUMER.INFO.${stream}.*`,
      ]),
      ...keep(streams.deadLetters, consumers.projector),
      ...keep(streams.broadcasts, consumers.broadcaster),
      ...each(shards, (shard) => [
        ...keep(streams.events(shard), consumers.router),
        ...keep(streams.events(shard), consumers.projector),
        ...keep(streams.records(shard), consumers.projector),
        ...[consumers.deliverShared, consumers.deliverHigh, consumers.deliverRepeats].flatMap(
          (name) => keep(streams.deliveries(shard), name),
        ),
      ]),
    ],
    subscribe: [],
  }),
};

/**
 * The indexes of the lists of events, deliveries and attempts (CT-5). Each serves a combination of
 * filters: it holds the filtered fields, then the time that the list is sorted by and the id. So a
 * page reads only its own documents. `docs/guides/searching.md` lists the combinations.
 */
import { type Db, type IndexDescription, MongoServerError } from 'mongodb';
import { attemptFailureKinds, deliveryStatuses } from '#domain/outcome/delivery.ts';

export type ListName = 'events' | 'deliveries' | 'attempts';

export type IndexKey = Readonly<Record<string, 1 | -1>>;

export interface ListIndex {
  key: IndexKey;
  /** For the index of some documents only: filters that use it select no others. */
  options?: Pick<IndexDescription, 'partialFilterExpression'>;
  /** Filters that it serves together, besides the tenant; each has one or several values. */
  filters: readonly string[];
  /**
   * Every value of a field between the filters and the time. With all of them, MongoDB merges one
   * sorted part of the index for each value.
   */
  merged?: Readonly<Record<string, { $in: readonly string[] }>>;
}

const byAcceptance = { accepted_at: -1, _id: -1 } as const;
const byStart = { started_at: -1, _id: -1 } as const;
const ofTenant = { tenant: 1 } as const;
const anyStatus = { 'state.status': { $in: [...deliveryStatuses] } };
const anyFailure = { failure: { $in: [...attemptFailureKinds] } };
/** With the sequence, which tells events from claims of ingress: so the index alone counts. */
const eventOrder = { ...byAcceptance, seq: 1 } as const;

const present = (field: string) => ({
  partialFilterExpression: { [field]: { $exists: true } },
});

const eventIndexes: readonly ListIndex[] = [
  { key: { _id: 1 }, filters: ['id'] },
  { key: { ...ofTenant, correlation_id: 1, ...eventOrder }, filters: ['correlation_id'] },
  {
    key: { ...ofTenant, subject: 1, ...eventOrder },
    options: present('subject'),
    filters: ['subject'],
  },
  {
    key: { ...ofTenant, routed: 1, ...eventOrder },
    options: { partialFilterExpression: { routed: 0 } },
    filters: ['unmatched'],
  },
  { key: { ...ofTenant, type: 1, ...eventOrder }, filters: ['event_type'] },
  { key: { ...ofTenant, source: 1, ...eventOrder }, filters: ['source'] },
  { key: { ...ofTenant, ...eventOrder }, filters: [] },
];

const ofEndpoint = { ...ofTenant, endpoint: 1, 'state.status': 1, ...byAcceptance } as const;
const ofType = { ...ofTenant, type: 1, 'state.status': 1, ...byAcceptance } as const;

const deliveryIndexes: readonly ListIndex[] = [
  { key: { ...ofTenant, event: 1, ...byAcceptance }, filters: ['event_id'] },
  {
    key: { ...ofTenant, replay: 1, ...byAcceptance },
    options: present('replay'),
    filters: ['replay_id'],
  },
  {
    key: { ...ofTenant, replay_of: 1, ...byAcceptance },
    options: present('replay_of'),
    filters: ['replay_of'],
  },
  { key: ofEndpoint, filters: ['endpoint_id', 'status'] },
  { key: ofEndpoint, filters: ['endpoint_id'], merged: anyStatus },
  {
    key: { ...ofTenant, 'last_attempt.failure': 1, ...byAcceptance },
    options: { partialFilterExpression: { 'last_attempt.failure': { $gte: '' } } },
    filters: ['failure'],
  },
  {
    key: { ...ofTenant, 'last_attempt.status': 1, ...byAcceptance },
    options: { partialFilterExpression: { 'last_attempt.status': { $gte: 0 } } },
    filters: ['response_status'],
  },
  { key: ofType, filters: ['event_type', 'status'] },
  { key: ofType, filters: ['event_type'], merged: anyStatus },
  { key: { ...ofTenant, 'state.status': 1, ...byAcceptance }, filters: ['status'] },
  { key: { ...ofTenant, ...byAcceptance }, filters: [] },
];

const failed = present('failure');
const ofEndpointFailed = { ...ofTenant, endpoint: 1, failure: 1, ...byStart } as const;

const attemptIndexes: readonly ListIndex[] = [
  { key: { ...ofTenant, delivery: 1, ...byStart }, filters: ['delivery_id'] },
  { key: { ...ofTenant, event: 1, ...byStart }, filters: ['event_id'] },
  { key: ofEndpointFailed, options: failed, filters: ['endpoint_id', 'failure'] },
  {
    key: ofEndpointFailed,
    options: failed,
    filters: ['endpoint_id', 'failed'],
    merged: anyFailure,
  },
  { key: { ...ofTenant, endpoint: 1, ...byStart }, filters: ['endpoint_id'] },
  { key: { ...ofTenant, failure: 1, ...byStart }, options: failed, filters: ['failure'] },
  {
    key: { ...ofTenant, failure: 1, ...byStart },
    options: failed,
    filters: ['failed'],
    merged: anyFailure,
  },
  {
    key: { ...ofTenant, response_status: 1, ...byStart },
    options: present('response_status'),
    filters: ['response_status'],
  },
  { key: { ...ofTenant, type: 1, ...byStart }, filters: ['event_type'] },
  { key: { ...ofTenant, ...byStart }, filters: [] },
];

/** Of each list in the order of preference: the first index whose filters are all given is used. */
export const listIndexes: Readonly<Record<ListName, readonly ListIndex[]>> = {
  events: eventIndexes,
  deliveries: deliveryIndexes,
  attempts: attemptIndexes,
};

/** The indexes of the lists of all tenants. That of attempts also serves the metrics. */
export const platformIndexes: Readonly<Record<ListName, ListIndex>> = {
  events: { key: eventOrder, filters: [] },
  deliveries: { key: byAcceptance, filters: [] },
  attempts: { key: byStart, filters: [] },
};

/** Indexes of earlier versions that others replace, by collection. */
const replaced: Readonly<Record<string, readonly string[]>> = {
  events: ['tenant_1_accepted_at_-1__id_-1'],
  deliveries: ['tenant_1_event_1'],
};

/** Creates the indexes of the lists, then drops those that they replace; idempotent. */
export async function ensureListIndexes(db: Db): Promise<void> {
  const names = Object.keys(listIndexes) as ListName[];
  for (const name of names) {
    const collection = db.collection(name);
    const indexes = new Map<string, IndexDescription>();
    for (const { key, options } of [...listIndexes[name], platformIndexes[name]]) {
      if (!isOfIds(key)) indexes.set(JSON.stringify(key), { key: { ...key }, ...options });
    }
    // In one request, so that MongoDB reads the collection once.
    await collection.createIndexes([...indexes.values()]);
    const existing = new Set((await collection.indexes()).map((index) => index.name));
    for (const old of replaced[name] ?? []) {
      if (existing.has(old)) await collection.dropIndex(old);
    }
  }
}

/** Every collection has this index by itself. */
function isOfIds(key: IndexKey): boolean {
  return Object.keys(key).join() === '_id';
}

const BAD_VALUE = 2;

/** Whether a query failed because the index of its hint does not exist (yet). */
export function isMissingIndex(error: unknown): boolean {
  if (!(error instanceof MongoServerError) || error.code !== BAD_VALUE) return false;
  return error.message.includes('hint provided does not correspond to an existing index');
}

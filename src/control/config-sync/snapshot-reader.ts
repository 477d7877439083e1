import type { ClientSession, Db, MongoClient } from 'mongodb';
import type { Clock } from '#domain/clock.ts';
import { type Configuration, configurationOf } from '#infra/mongo/configuration.ts';
import type {
  ApiKeySnapshot,
  EventTypeSnapshot,
  RevocationSnapshot,
  TenantSnapshot,
} from '#wire/config-snapshot.ts';
import { configKeys, parseConfigKey } from '#wire/subjects.ts';
import { apiKeySnapshot, eventTypeSnapshot, tenantSnapshot } from './snapshot.ts';

export type ConfigSnapshot =
  | TenantSnapshot
  | EventTypeSnapshot
  | ApiKeySnapshot
  | RevocationSnapshot;

/**
 * Excludes types that an earlier version registered with their first event: they belong to one
 * tenant, and no process needs them.
 */
const registered = { auto: false };

/** Reads the values for the keys of the bucket CONFIG from MongoDB. */
export class SnapshotReader {
  private readonly mongo: MongoClient;
  private readonly clock: Clock;
  private readonly configuration: Configuration;

  constructor(deps: { mongo: MongoClient; db: Db; clock: Clock }) {
    this.mongo = deps.mongo;
    this.clock = deps.clock;
    this.configuration = configurationOf(deps.db);
  }

  /** Reads the value that a key must have now, with read concern majority; undefined: none. */
  async read(key: string): Promise<ConfigSnapshot | undefined> {
    const { kind, name } = parseConfigKey(key);
    const readConcern = { level: 'majority' } as const;
    switch (kind) {
      case 'tenant':
        return this.readTenant(name);
      case 'type': {
        const type = await this.configuration.eventTypes.findOne(
          { _id: name, ...registered },
          { readConcern },
        );
        return type === null ? undefined : eventTypeSnapshot(type);
      }
      case 'key': {
        const apiKey = await this.configuration.apiKeys.findOne({ _id: name }, { readConcern });
        return apiKey === null ? undefined : apiKeySnapshot(apiKey);
      }
      case 'revoked': {
        const { sessionRevocations } = this.configuration;
        const revocation = await sessionRevocations.findOne({ _id: name }, { readConcern });
        return revocation === null ? undefined : { v: 1, rev: revocation.revision };
      }
      default:
        return undefined;
    }
  }

  /**
   * Reads the revision that a key must have now, with read concern majority; undefined if the key
   * must not exist.
   */
  async readRevision(key: string): Promise<number | undefined> {
    const { kind, name: _id } = parseConfigKey(key);
    const { tenants, eventTypes, apiKeys, sessionRevocations } = this.configuration;
    const readConcern = { level: 'majority' } as const;
    const some = { readConcern, projection: { config_rev: 1, revision: 1 } };
    switch (kind) {
      case 'tenant':
        return (await tenants.findOne({ _id }, some))?.config_rev;
      case 'type':
        return (await eventTypes.findOne({ _id, ...registered }, some))?.revision;
      case 'key':
        return (await apiKeys.findOne({ _id, revoked_at: null }, some))?.revision;
      case 'revoked':
        return (await sessionRevocations.findOne({ _id }, some))?.revision;
      default:
        return undefined;
    }
  }

  /**
   * Lists every key that must exist, with its revision.
   *
   * @param session reads are at least as new as earlier reads in it
   */
  async readRevisions(session: ClientSession): Promise<Map<string, number>> {
    const { tenants, eventTypes, apiKeys, sessionRevocations } = this.configuration;
    const revisions = new Map<string, number>();
    const readConcern = { level: 'majority' } as const;
    const some = { readConcern, session, projection: { config_rev: 1, revision: 1 } };
    for await (const tenant of tenants.find({}, some)) {
      revisions.set(configKeys.tenant(tenant._id), tenant.config_rev);
    }
    for await (const type of eventTypes.find(registered, some)) {
      revisions.set(configKeys.eventType(type._id), type.revision);
    }
    for await (const key of apiKeys.find({ revoked_at: null }, some)) {
      revisions.set(configKeys.apiKey(key._id), key.revision);
    }
    for await (const revocation of sessionRevocations.find({}, some)) {
      revisions.set(configKeys.revocation(revocation._id), revocation.revision);
    }
    return revisions;
  }

  /** The three reads see one point in time: a snapshot never holds half of a change. */
  private async readTenant(id: string): Promise<TenantSnapshot | undefined> {
    const { tenants, endpoints, subscriptions } = this.configuration;
    const session = this.mongo.startSession({ snapshot: true });
    try {
      const tenant = await tenants.findOne({ _id: id }, { session });
      if (tenant === null) return undefined;
      const sorted = { session, sort: { _id: 1 } } as const;
      const parts = {
        tenant,
        endpoints: await endpoints.find({ tenant: id }, sorted).toArray(),
        subscriptions: await subscriptions.find({ tenant: id }, sorted).toArray(),
      };
      return tenantSnapshot(parts, this.clock.wallMs());
    } finally {
      await session.endSession();
    }
  }
}

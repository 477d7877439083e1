import { BSON, type ClientSession } from 'mongodb';
import { PosthornError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import type { Configuration, TenantDocument, TenantSize } from '#infra/mongo/configuration.ts';

type Counted = 'endpoints' | 'subscriptions';

/**
 * Collects how one change grows or shrinks a tenant's configuration. Every change of endpoints and
 * subscriptions reports to it. `changeTenant` keeps the sum in the tenant's document in the same
 * transaction, so existing documents need not be counted.
 */
export class SizeChange {
  readonly grown: TenantSize = { endpoints: 0, subscriptions: 0, bytes: 0 };
  /** False for changes by the platform itself: they update the size and are never rejected. */
  isBounded = true;

  added(kind: Counted, document: object): void {
    this.grown[kind]++;
    this.grown.bytes += storedBytes(document);
  }

  removed(kind: Counted, document: object): void {
    this.grown[kind]--;
    this.grown.bytes -= storedBytes(document);
  }

  replaced(kind: Counted, before: object, after: object): void {
    this.removed(kind, before);
    this.added(kind, after);
  }

  get isNothing(): boolean {
    const { endpoints, subscriptions, bytes } = this.grown;
    return endpoints === 0 && subscriptions === 0 && bytes === 0;
  }
}

/**
 * Keeps a tenant's configuration small enough for one snapshot (SE-5), and its size in its
 * document. Call it after the change, in the same transaction. A configuration over a limit may
 * shrink.
 * Measures the size if the change before this one did not maintain it (`newRevision`), and before
 * rejecting a change: a wrong sum never causes a rejection.
 *
 * @param tenant with the revision of this change
 * @throws PosthornError POSTHORN_LIMIT_EXCEEDED
 */
export async function keepTenantSize(
  configuration: Configuration,
  tenant: TenantDocument,
  change: SizeChange,
  session: ClientSession,
): Promise<void> {
  if (change.isNothing) return;
  const { grown, isBounded } = change;
  const known = tenant.size === undefined ? undefined : sum(tenant.size, grown);
  let size = known ?? (await measure(configuration, tenant._id, session));
  if (known !== undefined && isBounded && faultsOf(known, grown).length > 0) {
    size = await measure(configuration, tenant._id, session);
  }
  const faults = isBounded ? faultsOf(size, grown) : [];
  if (faults.length > 0) {
    throw new PosthornError('POSTHORN_LIMIT_EXCEEDED', { detail: faults.join('; ') });
  }
  await configuration.tenants.updateOne(
    { _id: tenant._id },
    { $set: { size: { ...size, rev: tenant.config_rev } } },
    { session },
  );
}

/** The size as `$bsonSize` computes it. */
function storedBytes(document: object): number {
  return BSON.calculateObjectSize(document, { ignoreUndefined: true });
}

function sum(size: TenantSize, grown: TenantSize): TenantSize {
  return {
    endpoints: size.endpoints + grown.endpoints,
    subscriptions: size.subscriptions + grown.subscriptions,
    bytes: size.bytes + grown.bytes,
  };
}

function faultsOf(size: TenantSize, grown: TenantSize): string[] {
  const faults: string[] = [];
  if (grown.endpoints > 0 && size.endpoints > limits.endpointsPerTenantMax) {
    faults.push(`a tenant has at most ${limits.endpointsPerTenantMax} endpoints`);
  }
  if (grown.subscriptions > 0 && size.subscriptions > limits.subscriptionsPerTenantMax) {
    faults.push(`a tenant has at most ${limits.subscriptionsPerTenantMax} subscriptions`);
  }
  if (grown.bytes > 0 && size.bytes > limits.tenantConfigBytesMax) {
    faults.push(`the tenant's configuration takes at most ${limits.tenantConfigBytesMax} bytes`);
  }
  return faults;
}

async function measure(
  { endpoints, subscriptions }: Configuration,
  tenant: string,
  session: ClientSession,
): Promise<TenantSize> {
  const pipeline = [
    { $match: { tenant } },
    { $group: { _id: null, count: { $sum: 1 }, bytes: { $sum: { $bsonSize: '$$ROOT' } } } },
  ];
  type Measured = { count: number; bytes: number };
  const nothing: Measured = { count: 0, bytes: 0 };
  const [ofEndpoints = nothing] = await endpoints
    .aggregate<Measured>(pipeline, { session })
    .toArray();
  const [ofSubscriptions = nothing] = await subscriptions
    .aggregate<Measured>(pipeline, { session })
    .toArray();
  return {
    endpoints: ofEndpoints.count,
    subscriptions: ofSubscriptions.count,
    bytes: ofEndpoints.bytes + ofSubscriptions.bytes,
  };
}

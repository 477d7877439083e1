import { BSON, type ClientSession } from 'mongodb';
import { PosthornError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import type { Configuration, TenantDocument, TenantSize } from '#infra/mongo/configuration.ts';

type Counted = 'endpoints' | 'subscriptions';

/**
 * What one change adds to a tenant's configuration and takes from it. Every change of endpoints and subscriptions
 * tells it, and `changeTenant` keeps the sum in the tenant's document, in the same transaction: so nobody counts
 * what is there already.
 */
export class SizeChange {
  readonly grown: TenantSize = { endpoints: 0, subscriptions: 0, bytes: 0 };
  /** False: it is kept, and never refused, as what the platform itself has to write. */
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
 * Keeps a tenant's configuration within what fits into one snapshot (SE-5), and its size in its document; called
 * after what changed it, in the same transaction. What is over a limit may shrink.
 *
 * A size that was not kept by the change before this one (`newRevision`) is measured, and so is one that would
 * refuse: a refusal is never due to a sum that is wrong.
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

/** As `$bsonSize` has it. */
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

/**
 * How much of the storage on each broker is used, by the account's own figures, which nats-server
 * adds up over all replicas. With as many brokers as replicas, each broker holds an equal part.
 */
import type { JetStreamAccountStats, JetStreamManager } from '@nats-io/jetstream';
import type { StreamSettings } from '#config/sections.ts';

export type StorageSettings = Pick<StreamSettings, 'replicas' | 'bytesMax'>;

/** Of one broker. */
export interface StorageUsage {
  bytes: number;
  /** Undefined: neither a setting nor a limit of the account names it. */
  bytesMax: number | undefined;
}

/** @throws if JetStream does not answer */
export async function readStorageUsage(
  jsm: JetStreamManager,
  settings: StorageSettings,
): Promise<StorageUsage> {
  return storageUsage(await jsm.getAccountInfo(), settings);
}

/** The lower of the setting and the account's limit applies. */
export function storageUsage(
  account: Pick<JetStreamAccountStats, 'storage' | 'limits' | 'tiers'>,
  { replicas, bytesMax }: StorageSettings,
): StorageUsage {
  const tier = account.tiers?.[`R${replicas}`];
  const { storage } = tier ?? account;
  // The limit of a tier is for one replica; the limit of an account without tiers is for all.
  const limit = tier?.limits.max_storage ?? account.limits.max_storage / replicas;
  const known = [bytesMax, limit > 0 ? Math.floor(limit) : undefined].filter(
    (one) => one !== undefined,
  );
  return {
    bytes: storage / replicas,
    bytesMax: known.length === 0 ? undefined : Math.min(...known),
  };
}

/** The used share of a bound; 0 where there is no bound. */
export function fillOf({ bytes, bytesMax }: StorageUsage): number {
  return bytesMax === undefined || bytesMax <= 0 ? 0 : bytes / bytesMax;
}

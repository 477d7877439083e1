import type { Role } from '#config/schema.ts';
import type { Settings } from '#config/sections.ts';
import { ConfigError } from '#domain/errors.ts';

export interface RequiredSettings {
  natsUrl: string;
  mongoUrl: string | undefined;
  masterKey: string | undefined;
}

/**
 * Checks the settings that only some roles require.
 *
 * @throws ConfigError that names each setting that a role of `roles` lacks
 */
export function requireSettings(settings: Settings, roles: readonly Role[]): RequiredSettings {
  const natsUrl = settings.nats.url;
  const mongoUrl = settings.mongodb.url;
  const masterKey = settings.keys.master;
  const faults: string[] = [];
  if (natsUrl === undefined) faults.push('POSTHORN_NATS_URL: is required');
  if (mongoUrl === undefined && roles.includes('control')) {
    faults.push('POSTHORN_MONGODB_URL: is required for the role control');
  }
  if (masterKey === undefined && (roles.includes('control') || roles.includes('delivery'))) {
    faults.push('POSTHORN_MASTER_KEY: is required for the roles control and delivery');
  }
  if (faults.length > 0) throw new ConfigError(faults);
  return { natsUrl: natsUrl as string, mongoUrl, masterKey };
}

import type { Settings } from './config.ts';

/** What every component needs to know. */
export interface PlatformContext {
  settings: Settings;
  /** Begins the name of everything: `posthorn-<environment>`. */
  name: string;
  /** The namespace of the platform in the cluster. */
  namespace: string;
}

export function platformContext(settings: Settings): PlatformContext {
  return { settings, name: `posthorn-${settings.environment}`, namespace: 'posthorn' };
}

/** A bucket's name, unique in the world by account and region, and known before it is made. */
export function bucketName(context: PlatformContext, purpose: string, region: string): string {
  return `${context.name}-${purpose}-${context.settings.accountId}-${region}`;
}

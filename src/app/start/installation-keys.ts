import { randomBytes } from 'node:crypto';
import type { KeySettings } from '#config/sections.ts';
import { ConfigError } from '#domain/errors.ts';
import type { DataDir } from './data-dir.ts';

const FILE = 'keys.json';

export interface InstallationKeys {
  bootstrapKey: string;
  masterKey: string;
}

/**
 * Returns the keys from the settings, or else the keys created at the first start on this data
 * folder.
 */
export function installationKeys(settings: KeySettings, dataDir: DataDir): InstallationKeys {
  const { bootstrap, master } = settings;
  if (bootstrap !== undefined && master !== undefined) {
    return { bootstrapKey: bootstrap, masterKey: master };
  }
  const kept = (dataDir.read(FILE) ?? makeKeys(dataDir)) as Record<string, unknown>;
  const { bootstrap_key, master_key } = kept;
  if (typeof bootstrap_key !== 'string' || typeof master_key !== 'string') {
    throw new ConfigError([
      `POSTHORN_DATA_DIR: ${dataDir.join(FILE)} is damaged: a key is missing`,
    ]);
  }
  return { bootstrapKey: bootstrap ?? bootstrap_key, masterKey: master ?? master_key };
}

function makeKeys(dataDir: DataDir): Record<string, string> {
  const keys = {
    bootstrap_key: `phk_${randomBytes(24).toString('hex')}`,
    master_key: randomBytes(32).toString('base64'),
  };
  dataDir.write(FILE, keys);
  return keys;
}

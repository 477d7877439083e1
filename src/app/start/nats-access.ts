import { randomBytes } from 'node:crypto';
import type { Environment } from '#config/schema.ts';
import { ConfigError } from '#domain/errors.ts';
import type { NatsAccess } from '#src/embedded/nats-server.ts';
import { AccountKey, newAccountSeed } from '#src/ingress/auth-callout/account-key.ts';
import type { DataDir } from './data-dir.ts';

const FILE = 'nats-access.json';
const USER = 'posthorn';

export interface EmbeddedNatsAccess {
  /** For the embedded server. */
  access: NatsAccess;
  /** For the role processes. */
  environment: Pick<
    Environment,
    | 'POSTHORN_NATS_USER'
    | 'POSTHORN_NATS_PASSWORD'
    | 'POSTHORN_NATS_AUTH_SEED'
    | 'POSTHORN_NATS_AUTH_ACCOUNT'
  >;
}

/**
 * Access to the embedded nats-server: the platform uses a password created at the first start on
 * this data folder, producers use their API keys.
 *
 * @throws ConfigError if the stored values are damaged
 */
export function embeddedNatsAccess(dataDir: DataDir): EmbeddedNatsAccess {
  const kept = (dataDir.read(FILE) ?? makeAccess(dataDir)) as Record<string, unknown>;
  const { password, seed } = kept;
  if (typeof password !== 'string' || typeof seed !== 'string') throw damaged(dataDir);
  let issuer: string;
  try {
    issuer = new AccountKey(seed).publicKey;
  } catch {
    throw damaged(dataDir);
  }
  return {
    access: { user: USER, password, issuer },
    environment: {
      POSTHORN_NATS_USER: USER,
      POSTHORN_NATS_PASSWORD: password,
      POSTHORN_NATS_AUTH_SEED: seed,
      POSTHORN_NATS_AUTH_ACCOUNT: '$G',
    },
  };
}

function makeAccess(dataDir: DataDir): Record<string, string> {
  const made = { password: randomBytes(24).toString('hex'), seed: newAccountSeed() };
  dataDir.write(FILE, made);
  return made;
}

function damaged(dataDir: DataDir): ConfigError {
  return new ConfigError([`POSTHORN_DATA_DIR: ${dataDir.join(FILE)} is damaged; remove it`]);
}

/** The secrets of an installation: which exist, and how those that anyone may choose are made. */
import { randomBytes } from 'node:crypto';
import { nkeys } from '@nats-io/nats-core';
import { passwordKey } from '#infra/nats/access/format-users.ts';
import { natsUsers } from '#infra/nats/access/role-permissions.ts';

/** Replaces a value of another system. The program refuses it by the name of its setting. */
export const TO_REPLACE = 'REPLACE-ME';

export interface Secrets {
  /** Values by the keys of the Secret. */
  values: Record<string, string>;
  /** The public key of natsAuthSeed, for the configuration of NATS. */
  issuer: string;
}

/** The URL of the replica set of `argocd/mongodb`. */
const urlInCluster = (password: string): string =>
  `mongodb://posthorn:${password}@posthorn-rs0.mongodb.svc.cluster.local/` +
  '?replicaSet=rs0&tls=true&authSource=admin';

/**
 * Generates new secrets, with placeholders for the values of other systems.
 *
 * @param userPerRole whether each role has a user of NATS, as in the environments
 */
export function makeSecrets(further: readonly string[] = [], userPerRole = false): Secrets {
  const account = nkeys.createAccount();
  const values: Record<string, string> = {
    mongodbUrl: TO_REPLACE,
    masterKey: randomBytes(32).toString('base64'),
    bootstrapKey: randomBytes(32).toString('hex'),
    natsAuthSeed: new TextDecoder().decode(account.getSeed()),
  };
  for (const key of userPerRole ? natsUsers.map(passwordKey) : ['natsPassword']) {
    // Begins with a letter: the configuration of NATS would read digits as a number.
    values[key] = `p${randomBytes(24).toString('hex')}`;
  }
  for (const key of further) values[key] = TO_REPLACE;
  if ('mongodbPassword' in values) {
    const password = randomBytes(24).toString('hex');
    values['mongodbPassword'] = password;
    values['mongodbUrl'] = urlInCluster(password);
  }
  return { values, issuer: account.getPublicKey() };
}

/** Returns the settings that the chart makes of the keys, by key. */
export function settingsOfKeys(template: string): Map<string, string> {
  const pairs = template.matchAll(/set \$keys "(\w+)" "(POSTHORN_\w+)"/g);
  return new Map([...pairs].map(([, key = '', setting = '']) => [key, setting]));
}

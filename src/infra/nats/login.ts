import { readFileSync } from 'node:fs';
import {
  type Authenticator,
  type ConnectionOptions,
  credsAuthenticator,
  nkeyAuthenticator,
} from '@nats-io/transport-node';
import { ConfigError } from '#domain/errors.ts';

/** How the platform logs in to NATS, and which authorities it trusts. Absent: no login. */
export interface NatsLogin {
  user?: string | undefined;
  password?: string | undefined;
  /** A file of NATS with the JWT of a user and its seed. */
  credentialsPath?: string | undefined;
  /** A file with the seed of a user's NKey. */
  nkeyPath?: string | undefined;
  /** The authorities that sign the certificate of the server, as PEM. */
  caPath?: string | undefined;
  /** The client certificate, and its key. */
  certificatePath?: string | undefined;
  keyPath?: string | undefined;
  /** Of the subjects at which the connection receives answers. Undefined: `_INBOX`. */
  inboxPrefix?: string | undefined;
}

type LoginOptions = Pick<
  ConnectionOptions,
  'user' | 'pass' | 'authenticator' | 'tls' | 'inboxPrefix'
>;

/**
 * The options of the client for this login. Files are read again at each connect, so that renewed
 * ones are in force without a restart; while one cannot be read, the last content is.
 *
 * @param requiresTls whether the URL asks for it
 * @throws ConfigError that names the setting of an unreadable file
 */
export function loginOptions(login: NatsLogin, requiresTls: boolean): LoginOptions {
  const authenticator = authenticatorOf(login);
  const { user, password, caPath, certificatePath, keyPath, inboxPrefix } = login;
  requireFile('POSTHORN_NATS_CA_PATH', caPath);
  requireFile('POSTHORN_NATS_CERTIFICATE_PATH', certificatePath);
  requireFile('POSTHORN_NATS_KEY_PATH', keyPath);
  const tls = {
    ...(caPath !== undefined && { caFile: caPath }),
    ...(certificatePath !== undefined && { certFile: certificatePath }),
    ...(keyPath !== undefined && { keyFile: keyPath }),
  };
  return {
    ...(inboxPrefix !== undefined && { inboxPrefix }),
    ...(user !== undefined && { user, pass: password ?? '' }),
    ...(authenticator !== undefined && { authenticator }),
    // The client treats `tls://` as a preference only, and would log in without TLS.
    ...((requiresTls || Object.keys(tls).length > 0) && { tls }),
  };
}

/** The settings that name the login, for an error about it. */
export function loginSettings(login: NatsLogin): string {
  if (login.credentialsPath !== undefined) return 'POSTHORN_NATS_CREDENTIALS_PATH';
  if (login.nkeyPath !== undefined) return 'POSTHORN_NATS_NKEY_PATH';
  if (login.user !== undefined) return 'POSTHORN_NATS_USER, POSTHORN_NATS_PASSWORD';
  return login.certificatePath === undefined
    ? 'POSTHORN_NATS_USER'
    : 'POSTHORN_NATS_CERTIFICATE_PATH';
}

function authenticatorOf({ credentialsPath, nkeyPath }: NatsLogin): Authenticator | undefined {
  if (credentialsPath !== undefined) {
    const setting = 'POSTHORN_NATS_CREDENTIALS_PATH';
    return checked(setting, credsAuthenticator(reread(setting, credentialsPath)));
  }
  if (nkeyPath !== undefined) {
    const setting = 'POSTHORN_NATS_NKEY_PATH';
    return checked(setting, nkeyAuthenticator(reread(setting, nkeyPath)));
  }
  return undefined;
}

/** Signs once: the client would retry with an invalid file without end. */
function checked(setting: string, authenticator: Authenticator): Authenticator {
  try {
    authenticator('a nonce');
  } catch (error) {
    throw new ConfigError([`${setting}: is not valid (${(error as Error).message})`]);
  }
  return authenticator;
}

/** Reads a file at each call. @throws ConfigError if the first read fails */
function reread(setting: string, path: string): () => Uint8Array {
  let content = requireFile(setting, path) as Uint8Array;
  return () => {
    try {
      content = normalized(path);
    } catch {
      // It is being replaced.
    }
    return content;
  };
}

function requireFile(setting: string, path: string | undefined): Uint8Array | undefined {
  try {
    return path === undefined ? undefined : normalized(path);
  } catch (error) {
    throw new ConfigError([`${setting}: cannot be read (${(error as Error).message})`]);
  }
}

/** A seed must have no line end after it, a credentials file must have one. */
function normalized(path: string): Uint8Array {
  const text = readFileSync(path, 'utf8').trim();
  return Buffer.from(text.startsWith('-') ? `${text}\n` : text);
}

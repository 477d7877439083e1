import { createHash } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import type {
  ClientCertificate,
  OAuth2Credentials,
  OutboundCredentials,
} from '#domain/endpoint/outbound-credentials.ts';
import type { EndpointSnapshot } from '#wire/config-snapshot.ts';
import { openCredentials } from '#wire/sealed-credentials.ts';
import type { Destination } from './sender-pool.ts';

/** An endpoint's decrypted credentials (DL-14). */
export interface OpenedCredentials {
  /** Alternating names and values. */
  headers: string[];
  oauth2: OAuth2Credentials | undefined;
  certificate: Destination['certificate'];
  /** Secrets that no record may contain. */
  secretTexts: string[];
}

/** @throws Error if the master key does not fit */
export function openEndpointCredentials(
  snapshot: EndpointSnapshot,
  open: (sealed: string, context: string) => string,
): OpenedCredentials {
  const { id, sealedHeaders, sealedCredentials, sealedCertificate } = snapshot;
  const named =
    sealedHeaders === undefined ? {} : openCredentials(open, 'headers', id, sealedHeaders);
  const credentials =
    sealedCredentials === undefined
      ? undefined
      : openCredentials(open, 'credentials', id, sealedCredentials);
  const headers = Object.entries({ ...snapshot.headers, ...named }).flat();
  const secretTexts = Object.values(named);
  const authorization = credentials === undefined ? undefined : fixedAuthorization(credentials);
  if (credentials !== undefined && authorization !== undefined) {
    headers.push('authorization', authorization.value);
    secretTexts.push(...authorization.secrets);
  }
  return {
    headers,
    oauth2: credentials?.type === 'oauth2' ? credentials : undefined,
    certificate:
      sealedCertificate === undefined
        ? undefined
        : secured(openCredentials(open, 'client_certificate', id, sealedCertificate)),
    secretTexts,
  };
}

/** The value of `authorization`, if it is the same for every request. */
function fixedAuthorization(
  credentials: OutboundCredentials,
): { value: string; secrets: string[] } | undefined {
  switch (credentials.type) {
    case 'basic': {
      const { username, password } = credentials;
      // In UTF-8 (RFC 7617, section 2.1), as most receivers expect.
      const pair = Buffer.from(`${username}:${password}`).toString('base64');
      return { value: `Basic ${pair}`, secrets: [pair, password] };
    }
    case 'bearer':
      return { value: `Bearer ${credentials.token}`, secrets: [credentials.token] };
    case 'oauth2':
      return undefined;
  }
}

function secured({ cert, key, ca }: ClientCertificate): Destination['certificate'] {
  const id = createHash('sha256')
    .update(JSON.stringify([cert, key, ca]))
    .digest('base64url');
  return { id, context: createSecureContext({ cert, key, ...(ca === undefined ? {} : { ca }) }) };
}

/**
 * Converts credentials of an endpoint between the API, MongoDB and the snapshot (DL-14). They are
 * sealed before they are stored.
 */
import type { X509Certificate } from 'node:crypto';
import type { Clock } from '#domain/clock.ts';
import type { EgressGuard } from '#domain/endpoint/egress.ts';
import type { OutboundCredentials } from '#domain/endpoint/outbound-credentials.ts';
import type {
  EndpointDocument,
  StoredCertificate,
  StoredCredentials,
  StoredEndpointCredentials,
} from '#infra/mongo/configuration.ts';
import type {
  EndpointCredentialFields,
  EndpointCredentialSettings,
} from '#wire/api/endpoint/endpoint-credentials.ts';
import type { EndpointSnapshot } from '#wire/config-snapshot.ts';
import { sealCredentials } from '#wire/sealed-credentials.ts';
import { checkEndpointHeaders } from '../resources/endpoint-headers.ts';
import type { Sealer } from '../resources/endpoint-secrets.ts';
import { checkClientCertificate } from './check-client-certificate.ts';
import { checkCredentials } from './check-credentials.ts';

export interface CredentialDeps {
  secretBox: Sealer;
  guard: EgressGuard;
  clock: Clock;
}

export type CredentialSettings = EndpointCredentialSettings & { headers?: Record<string, string> };

/**
 * Returns the stored form of the credentials that a request sets; omits fields that it does not
 * name.
 *
 * @throws PosthornError POSTHORN_REQUEST_INVALID that names the field
 */
export function credentialFields(
  body: CredentialSettings,
  endpointId: string,
  deps: CredentialDeps,
): Partial<StoredEndpointCredentials> {
  const { secretBox, guard, clock } = deps;
  const { headers, credentials, client_certificate: certificate } = body;
  const seal = (text: string, context: string): string => secretBox.seal(text, context);
  const fields: Partial<StoredEndpointCredentials> = {};
  if (headers !== undefined) {
    Object.assign(fields, sealedHeaders(secretBox, endpointId, checkEndpointHeaders(headers)));
  }
  if (credentials === null) fields.credentials = null;
  else if (credentials !== undefined) {
    const checked = checkCredentials(credentials, guard);
    const sealed = sealCredentials(seal, 'credentials', endpointId, checked);
    fields.credentials = { ...shownOf(checked), sealed };
  }
  if (certificate === null) fields.client_certificate = null;
  else if (certificate !== undefined) {
    const checked = checkClientCertificate(certificate, new Date(clock.wallMs()));
    const whole = checked.certificate;
    fields.client_certificate = {
      ...certificateFacts(checked.leaf),
      has_ca: whole.ca !== undefined,
      sealed: sealCredentials(seal, 'client_certificate', endpointId, whole),
    };
  }
  return fields;
}

/** Returns the stored form of header fields: their names in plain text, their values sealed. */
export function sealedHeaders(
  box: Sealer,
  endpointId: string,
  headers: Record<string, string>,
): Pick<StoredEndpointCredentials, 'headers' | 'header_names' | 'sealed_headers'> {
  const seal = (text: string, context: string): string => box.seal(text, context);
  const names = Object.keys(headers);
  return {
    headers: {},
    header_names: names,
    sealed_headers:
      names.length === 0 ? null : sealCredentials(seal, 'headers', endpointId, headers),
  };
}

/** Returns the names of all header fields, sealed or stored before they were sealed. */
export function headerNames(stored: StoredEndpointCredentials): string[] {
  return [...Object.keys(stored.headers), ...(stored.header_names ?? [])];
}

/** Returns the credentials as the API shows them: names, never a secret. */
export function toCredentialsResource(stored: StoredEndpointCredentials): EndpointCredentialFields {
  return {
    header_names: headerNames(stored),
    credentials: withoutSealed(stored.credentials),
    client_certificate: toCertificateResource(stored.client_certificate ?? null),
  };
}

function withoutSealed(stored: StoredCredentials | null | undefined) {
  if (stored === null || stored === undefined) return null;
  const { sealed: _, ...shown } = stored;
  return shown;
}

function toCertificateResource(
  stored: StoredCertificate | null,
): EndpointCredentialFields['client_certificate'] {
  if (stored === null) return null;
  const { sealed: _, not_before: notBefore, not_after: notAfter, ...shown } = stored;
  return { ...shown, not_before: notBefore.toISOString(), not_after: notAfter.toISOString() };
}

/** Returns the credentials for the data plane, sealed as they are stored. */
export function credentialSnapshot(
  stored: EndpointDocument,
): Pick<EndpointSnapshot, 'headers' | 'sealedHeaders' | 'sealedCredentials' | 'sealedCertificate'> {
  const snapshot: ReturnType<typeof credentialSnapshot> = { headers: stored.headers };
  const { sealed_headers: headers, credentials, client_certificate: certificate } = stored;
  if (typeof headers === 'string') snapshot.sealedHeaders = headers;
  if (credentials) snapshot.sealedCredentials = credentials.sealed;
  if (certificate) snapshot.sealedCertificate = certificate.sealed;
  return snapshot;
}

function shownOf(credentials: OutboundCredentials): Omit<StoredCredentials, 'sealed'> {
  switch (credentials.type) {
    case 'basic':
      return { type: 'basic', username: credentials.username };
    case 'bearer':
      return { type: 'bearer' };
    case 'oauth2': {
      const { tokenUrl, clientId, scope, audience, authMethod } = credentials;
      return {
        type: 'oauth2',
        token_url: tokenUrl,
        client_id: clientId,
        ...(scope === undefined ? {} : { scope }),
        ...(audience === undefined ? {} : { audience }),
        auth_method: authMethod,
      };
    }
  }
}

const NAME_LENGTH_MAX = 500;

function certificateFacts(leaf: X509Certificate): Omit<StoredCertificate, 'sealed' | 'has_ca'> {
  return {
    subject: inOneLine(leaf.subject),
    issuer: inOneLine(leaf.issuer),
    fingerprint_sha256: leaf.fingerprint256.replaceAll(':', '').toLowerCase(),
    not_before: leaf.validFromDate,
    not_after: leaf.validToDate,
  };
}

/** Node puts each attribute on its own line. */
function inOneLine(name = ''): string {
  return name.replaceAll('\n', ', ').slice(0, NAME_LENGTH_MAX);
}

/**
 * Seals the credentials of an endpoint (CT-10): each kind as a whole, as JSON, bound to its
 * endpoint and kind, so that a sealed value is useless anywhere else.
 */
import type {
  ClientCertificate,
  OutboundCredentials,
} from '#domain/endpoint/outbound-credentials.ts';

interface Kinds {
  headers: Record<string, string>;
  credentials: OutboundCredentials;
  client_certificate: ClientCertificate;
}

type Crypt = (text: string, context: string) => string;

/** @param seal `SecretBox.seal` */
export function sealCredentials<K extends keyof Kinds>(
  seal: Crypt,
  kind: K,
  endpointId: string,
  value: Kinds[K],
): string {
  return seal(JSON.stringify(value), credentialContext(kind, endpointId));
}

/**
 * @param open `SecretBox.open`
 * @throws Error if the master key is wrong, or the value belongs to another endpoint or kind
 */
export function openCredentials<K extends keyof Kinds>(
  open: Crypt,
  kind: K,
  endpointId: string,
  sealed: string,
): Kinds[K] {
  return JSON.parse(open(sealed, credentialContext(kind, endpointId))) as Kinds[K];
}

/** The context of `SecretBox` that a value is sealed for. */
export function credentialContext(kind: keyof Kinds, endpointId: string): string {
  return `${endpointId}/${kind}`;
}

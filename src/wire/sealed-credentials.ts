/**
 * How the credentials of an endpoint are sealed (CT-10): each kind whole, as JSON, for its endpoint and its
 * place, so that none of them can be put in the place of another.
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
 * @throws Error where the master key does not fit, or it was sealed for another endpoint or place
 */
export function openCredentials<K extends keyof Kinds>(
  open: Crypt,
  kind: K,
  endpointId: string,
  sealed: string,
): Kinds[K] {
  return JSON.parse(open(sealed, credentialContext(kind, endpointId))) as Kinds[K];
}

/** What one of them is sealed for: the context of `SecretBox`. */
export function credentialContext(kind: keyof Kinds, endpointId: string): string {
  return `${endpointId}/${kind}`;
}

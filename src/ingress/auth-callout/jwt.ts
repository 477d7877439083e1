/** JSON Web Tokens for nats-server (nats-io/jwt, version 2), signed with ed25519. */
import type { AccountKey } from './account-key.ts';

const HEADER = segment({ typ: 'JWT', alg: 'ed25519-nkey' });

/** Encodes a token with these claims, signed by the key. */
export function encodeJwt(claims: object, key: AccountKey): string {
  const signed = `${HEADER}.${segment(claims)}`;
  return `${signed}.${key.sign(signed).toString('base64url')}`;
}

/** Decodes the claims without verifying the signature. @throws SyntaxError if it is not a token */
export function decodeClaims(token: string): Record<string, unknown> {
  const payload = token.split('.')[1] ?? '';
  const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString());
  if (typeof claims !== 'object' || claims === null) throw new SyntaxError('not a token');
  return claims as Record<string, unknown>;
}

function segment(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

const BASIC = /^basic +([A-Za-z0-9+/]{1,1024}={0,2}) *$/i;

/**
 * Converts basic credentials (RFC 7617), whose password is an API key, to a bearer token. Returns
 * any other header unchanged. The user name may be any.
 */
export function bearerOfBasic(authorization: string | undefined): string | undefined {
  const encoded = BASIC.exec(authorization ?? '')?.[1];
  if (encoded === undefined) return authorization;
  const text = Buffer.from(encoded, 'base64').toString();
  const colon = text.indexOf(':');
  return colon < 0 ? authorization : `Bearer ${text.slice(colon + 1)}`;
}

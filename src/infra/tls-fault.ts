/** What Node says of a certificate that no other try will make better (`X509_V_ERR_…` of OpenSSL). */
const unknownAuthority = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
]);

/**
 * Why the certificate of a server is refused, where that is a wrong setting; undefined for anything else, and for
 * what mends itself, such as a certificate that ended and is being renewed. Looks at causes too.
 *
 * @param authoritySetting what names the authorities that are known
 */
export function tlsFault(error: unknown, authoritySetting: string): string | undefined {
  const CAUSES_MAX = 8;
  let at = error;
  for (let depth = 0; at instanceof Error && depth < CAUSES_MAX; depth++, at = at.cause) {
    const { code } = at as NodeJS.ErrnoException;
    if (code === undefined) continue;
    if (unknownAuthority.has(code)) {
      return `the certificate of the server is of an authority that is not known here (${code}): see ${authoritySetting}`;
    }
    if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
      return `the certificate of the server is for another name: ${at.message}`;
    }
  }
  return undefined;
}

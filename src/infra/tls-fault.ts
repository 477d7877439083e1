/** Node's codes for a certificate that no retry will fix (`X509_V_ERR_…` of OpenSSL). */
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
 * Returns why a server's certificate is refused, if a setting is wrong. Undefined for any other
 * error, and for temporary faults, such as an expired certificate that is being renewed. Checks
 * causes too.
 *
 * @param authoritySetting the setting that names the trusted authorities
 */
export function tlsFault(error: unknown, authoritySetting: string): string | undefined {
  const CAUSES_MAX = 8;
  let at = error;
  for (let depth = 0; at instanceof Error && depth < CAUSES_MAX; depth++, at = at.cause) {
    const { code } = at as NodeJS.ErrnoException;
    if (code === undefined) continue;
    if (unknownAuthority.has(code)) {
      return `the certificate of the server is from an unknown authority (${code}): see ${authoritySetting}`;
    }
    if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
      return `the certificate of the server is for another name: ${at.message}`;
    }
  }
  return undefined;
}

import { X509Certificate, createPrivateKey } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { PosthornError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import type { ClientCertificate } from '#domain/endpoint/outbound-credentials.ts';

export interface CheckedCertificate {
  /** With its key in PKCS #8. */
  certificate: ClientCertificate;
  /** The first certificate of the chain. */
  leaf: X509Certificate;
}

type Field = keyof ClientCertificate;

/**
 * Checks a client certificate in a request: it is readable, valid now, matches its key, and works
 * for TLS in this version of Node.
 *
 * @throws PosthornError POSTHORN_REQUEST_INVALID that names the field
 */
export function checkClientCertificate(given: ClientCertificate, now: Date): CheckedCertificate {
  const [leaf] = readCertificates('cert', given.cert, now);
  if (leaf === undefined) throw invalid('cert', 'has no certificate in PEM');
  if (given.ca !== undefined && readCertificates('ca', given.ca, now).length === 0) {
    throw invalid('ca', 'has no certificate in PEM');
  }
  const key = readKey(given.key);
  if (!leaf.checkPrivateKey(key)) throw invalid('key', 'does not belong to the certificate');
  const certificate = { ...given, key: key.export({ format: 'pem', type: 'pkcs8' }).toString() };
  try {
    createSecureContext(certificate);
  } catch (error) {
    const { code = 'ERR_SSL' } = error as { code?: string };
    throw invalid('cert', `cannot be used for TLS (${code})`);
  }
  return { certificate, leaf };
}

/** RFC 7468; text around the blocks is a comment. */
const BLOCK = /-----BEGIN ([A-Z0-9 ]{1,40})-----[^-]*-----END \1-----/g;

function readCertificates(field: Field, pem: string, now: Date): X509Certificate[] {
  const blocks = [...pem.matchAll(BLOCK)];
  if (blocks.length > limits.certificatesMax) {
    throw invalid(field, `has more than ${limits.certificatesMax} certificates`);
  }
  return blocks.map(([block, label], index) => {
    if (label !== 'CERTIFICATE')
      throw invalid(field, `has a PEM block that is not a certificate: ${label}`);
    const which =
      blocks.length === 1
        ? 'holds a certificate that'
        : `holds as number ${index + 1} a certificate that`;
    let certificate: X509Certificate;
    try {
      certificate = new X509Certificate(block);
    } catch {
      throw invalid(field, `${which} cannot be read`);
    }
    if (certificate.validToDate <= now) {
      throw invalid(field, `${which} expired at ${certificate.validToDate.toISOString()}`);
    }
    if (certificate.validFromDate > now) {
      throw invalid(
        field,
        `${which} is valid only from ${certificate.validFromDate.toISOString()}`,
      );
    }
    return certificate;
  });
}

function readKey(pem: string): ReturnType<typeof createPrivateKey> {
  const labels = [...pem.matchAll(BLOCK)].map(([, label]) => label);
  if (labels.includes('ENCRYPTED PRIVATE KEY') || /^Proc-Type: 4,ENCRYPTED/m.test(pem)) {
    throw invalid('key', 'is encrypted; it is needed without a passphrase');
  }
  try {
    return createPrivateKey(pem);
  } catch {
    throw invalid('key', 'is not a private key in PEM');
  }
}

function invalid(field: Field, detail: string): PosthornError {
  const fields = [{ pointer: `/client_certificate/${field}`, detail }];
  return new PosthornError('POSTHORN_REQUEST_INVALID', { fields });
}

import {
  type KeyObject,
  createPrivateKey,
  generateKeyPairSync,
  randomBytes,
  sign,
} from 'node:crypto';

/** A certificate and its key, as PEM. */
export interface Certificate {
  cert: string;
  key: string;
}

export interface CertificateOptions {
  /** Absent: `localhost`. */
  commonName?: string;
  /** Certificate that signs it; absent: self-signed. */
  issuer?: Certificate & { commonName: string };
  /** `YYMMDDHHMMSSZ` */
  notBefore?: string;
  notAfter?: string;
}

/**
 * Makes an X.509 certificate (version 1) with a P-256 key. Written here, because openssl may not be
 * installed.
 */
export function makeCertificate(
  options: CertificateOptions = {},
): Certificate & { commonName: string } {
  const { commonName = 'localhost', issuer } = options;
  const { notBefore = '250101000000Z', notAfter = '491231235959Z' } = options;
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const spki = publicKey.export({ format: 'der', type: 'spki' });
  // ecdsa-with-SHA256, RFC 5480.
  const algorithm = der(0x30, der(0x06, Buffer.from('2a8648ce3d040302', 'hex')));
  const validity = der(0x30, time(notBefore), time(notAfter));
  const serial = der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)]));
  const issuerName = name(issuer?.commonName ?? commonName);
  const body = der(0x30, serial, algorithm, issuerName, validity, name(commonName), spki);
  const signer: KeyObject = issuer === undefined ? privateKey : createPrivateKey(issuer.key);
  const bits = der(0x03, Buffer.from([0]), sign('sha256', body, signer));
  return {
    commonName,
    key: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    cert: pem('CERTIFICATE', der(0x30, body, algorithm, bits)),
  };
}

/** commonName, RFC 5280. */
function name(text: string): Buffer {
  const attribute = der(
    0x30,
    der(0x06, Buffer.from('550403', 'hex')),
    der(0x0c, Buffer.from(text)),
  );
  return der(0x30, der(0x31, attribute));
}

function time(text: string): Buffer {
  return der(0x17, Buffer.from(text));
}

/** One element of DER: tag, length, content (X.690). */
function der(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag, ...derLength(content.length)]), content]);
}

/** DER requires the fewest bytes: Go programs accept no other form. */
function derLength(length: number): number[] {
  if (length < 0x80) return [length];
  return length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
}

function pem(label: string, bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
}

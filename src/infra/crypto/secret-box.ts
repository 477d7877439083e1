import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';

const ALGORITHM = 'aes-256-gcm';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_ID_LENGTH = 8;

/**
 * Seals short secrets for storage (CT-10): AES-256-GCM (NIST SP 800-38D) with a random nonce. A
 * sealed secret is bound to a context, the id of its owner, so that it cannot be moved to another
 * owner.
 *
 * The format is `v1.<key id>.<base64url of nonce, ciphertext, tag>`. The key id is derived from the
 * key, so that several keys can be held at the same time while the master key is rotated.
 */
export class SecretBox {
  private readonly keys = new Map<string, Buffer>();
  private readonly sealingKeyId: string;

  /**
   * @param masterKeyBase64 32 bytes in base64: seals and opens
   * @param otherKeysBase64 keys that only open: earlier and later ones, during a rotation
   * @throws Error if a key does not have 32 bytes
   */
  constructor(masterKeyBase64: string, otherKeysBase64: readonly string[] = []) {
    this.sealingKeyId = this.hold(masterKeyBase64);
    for (const key of otherKeysBase64) this.hold(key);
  }

  seal(text: string, context: string): string {
    const nonce = randomBytes(NONCE_BYTES);
    const key = this.keys.get(this.sealingKeyId) as Buffer;
    const cipher = createCipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(Buffer.from(context));
    const sealed = Buffer.concat([
      nonce,
      cipher.update(text, 'utf8'),
      cipher.final(),
      cipher.getAuthTag(),
    ]);
    return `v1.${this.sealingKeyId}.${sealed.toString('base64url')}`;
  }

  /** Whether the secret was sealed with the key that `seal` uses. */
  isCurrent(sealed: string): boolean {
    return sealed.startsWith(`v1.${this.sealingKeyId}.`);
  }

  /**
   * Seals the secret with the current key; returns it unchanged if it already is.
   *
   * @throws Error as `open` does
   */
  reseal(sealed: string, context: string): string {
    return this.isCurrent(sealed) ? sealed : this.seal(this.open(sealed, context), context);
  }

  /**
   * @throws Error if it was sealed with another key or for another context, or was changed since
   */
  open(sealed: string, context: string): string {
    const [version, keyId = '', payload = '', more] = sealed.split('.');
    if (version !== 'v1' || more !== undefined)
      throw new Error('the sealed secret has an unknown format');
    const key = this.keys.get(keyId);
    if (key === undefined) {
      throw new Error(
        `the secret was sealed with the master key ${keyId}, which is not configured`,
      );
    }
    const bytes = Buffer.from(payload, 'base64url');
    if (bytes.length < NONCE_BYTES + TAG_BYTES) throw new Error('the sealed secret is truncated');
    const nonce = bytes.subarray(0, NONCE_BYTES);
    const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(Buffer.from(context));
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    return (
      decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES), undefined, 'utf8') +
      decipher.final('utf8')
    );
  }

  private hold(keyBase64: string): string {
    const key = Buffer.from(keyBase64, 'base64');
    if (key.length !== KEY_BYTES) {
      throw new Error(`a master key has ${KEY_BYTES} bytes; this one has ${key.length}`);
    }
    // Domain-separated and truncated: the id distinguishes keys and reveals nothing about them.
    const id = createHash('sha256').update('posthorn-master-key-id\n').update(key).digest('hex');
    this.keys.set(id.slice(0, KEY_ID_LENGTH), key);
    return id.slice(0, KEY_ID_LENGTH);
  }
}

import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';

const ALGORITHM = 'aes-256-gcm';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_ID_LENGTH = 8;

/**
 * Seals short secrets for storage (CT-10): AES-256-GCM (NIST SP 800-38D) with a random nonce. What is
 * sealed is bound to a context, the id of what owns it, so that it cannot be moved to another owner.
 *
 * The form is `v1.<key id>.<base64url of nonce, ciphertext, tag>`. The key id is derived from the key, so
 * that several keys can be held at once while the master key is rotated.
 */
export class SecretBox {
  private readonly keys = new Map<string, Buffer>();
  private readonly sealingKeyId: string;

  /**
   * @param masterKeyBase64 32 bytes in base64: seals and opens
   * @param otherKeysBase64 keys that only open: those before and after this one, in a rotation
   * @throws Error where a key has not 32 bytes
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

  /** Whether `seal` would seal by the same key. */
  isCurrent(sealed: string): boolean {
    return sealed.startsWith(`v1.${this.sealingKeyId}.`);
  }

  /**
   * The same under the key that seals; as it is where that is the one it is under.
   *
   * @throws Error as `open` does
   */
  reseal(sealed: string, context: string): string {
    return this.isCurrent(sealed) ? sealed : this.seal(this.open(sealed, context), context);
  }

  /** @throws Error where it was sealed by another key or for another context, or was changed since */
  open(sealed: string, context: string): string {
    const [version, keyId = '', payload = '', more] = sealed.split('.');
    if (version !== 'v1' || more !== undefined)
      throw new Error('the sealed secret has no known form');
    const key = this.keys.get(keyId);
    if (key === undefined) {
      throw new Error(`the secret was sealed by the master key ${keyId}, which is not here`);
    }
    const bytes = Buffer.from(payload, 'base64url');
    if (bytes.length < NONCE_BYTES + TAG_BYTES) throw new Error('the sealed secret is cut off');
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
    // Domain-separated, and cut: the id tells keys apart and tells nothing about them.
    const id = createHash('sha256').update('posthorn-master-key-id\n').update(key).digest('hex');
    this.keys.set(id.slice(0, KEY_ID_LENGTH), key);
    return id.slice(0, KEY_ID_LENGTH);
  }
}

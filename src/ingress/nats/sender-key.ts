import { PosthornError } from '#domain/errors.ts';
import type { ApiKeySnapshot, TenantSnapshot } from '#wire/config-snapshot.ts';

export interface KeysById {
  apiKeyById(id: string): ApiKeySnapshot | undefined;
}

/** A producer's inbox names its key, as nats-server lets it subscribe to no other. */
const KEY_INBOX = /^_INBOX_(key_[^.]+)\./;

/**
 * Checks that a request to a tenant that was created again comes from a key that may publish to its
 * current life. A connection remains open for up to an hour after its key was revoked with an
 * earlier life. The request names no user, so the inbox of its answer has to name the key. A sender
 * that forges it needs the id of a current key.
 *
 * @throws PosthornError POSTHORN_KEY_INVALID
 */
export function checkSenderKey(
  reply: string | undefined,
  { id, life = 0 }: TenantSnapshot,
  keys: KeysById,
): void {
  if (life === 0) return;
  const keyId = KEY_INBOX.exec(reply ?? '')?.[1];
  const key = keyId === undefined ? undefined : keys.apiKeyById(keyId);
  if (key !== undefined && mayPublish(key, id, life)) return;
  const detail =
    keyId === undefined
      ? `the tenant ${id} was created again: send a request with a reply subject below _INBOX_<key id>`
      : `the API key ${keyId} is not valid for the tenant ${id}; connect again with a current key`;
  throw new PosthornError('POSTHORN_KEY_INVALID', { detail });
}

/**
 * The id of the key that sent a request, if it is bound to no tenant. A sender may name no inbox:
 * its event then counts as one of a key of the tenant.
 */
export function unboundKeyOf(reply: string | undefined, keys: KeysById): string | undefined {
  const key = senderKeyOf(reply, keys);
  return key !== undefined && key.tenant === undefined ? key.id : undefined;
}

/** The key that a request's inbox names; undefined: it names none that is valid. */
export function senderKeyOf(reply: string | undefined, keys: KeysById): ApiKeySnapshot | undefined {
  const keyId = KEY_INBOX.exec(reply ?? '')?.[1];
  return keyId === undefined ? undefined : keys.apiKeyById(keyId);
}

function mayPublish({ scope, tenant, life = 0 }: ApiKeySnapshot, id: string, now: number): boolean {
  return scope !== 'tenant' && (tenant === undefined || (tenant === id && life === now));
}

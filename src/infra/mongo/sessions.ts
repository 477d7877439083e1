import type { Collection, Db } from 'mongodb';
import type { Capability, OperatorRole } from '#domain/capabilities.ts';
import type { PortalTheme } from '#wire/api/portal/portal-token.ts';

/** A portal token with the session that it was exchanged for, or the session of an operator. */
export interface SessionDocument {
  /** Session id. */
  _id: string;
  kind: 'portal' | 'operator';
  /** SHA-256 of the portal token, in hex: the token is not stored. */
  token_hash?: string;
  /** SHA-256 of the cookie, in hex. */
  cookie_hash?: string;
  /** Of a portal session. */
  tenant?: string;
  /** The life of the tenant; absent: 0. */
  life?: number;
  capabilities: Capability[];
  /** Selectors of the visible event types; absent: all. */
  event_types?: string[];
  theme?: PortalTheme;
  /** Of an operator. */
  role?: OperatorRole;
  subject?: string;
  name?: string;
  created_at: Date;
  expires_at: Date;
  /** When the token was exchanged; null: not yet. */
  exchanged_at: Date | null;
  revoked_at: Date | null;
}

/**
 * A name whose sessions every process must read again: `<session id>` or `tenant.<life id>`. Its
 * key in the bucket CONFIG is the deny list.
 */
export interface SessionRevocationDocument {
  _id: string;
  revision: number;
  /** When no session that it concerns is valid any more. */
  expires_at: Date;
}

/** Name of the collection of revocations, which the sync of CONFIG watches. */
export const SESSION_REVOCATIONS = 'session_revocations';

export interface SessionCollections {
  sessions: Collection<SessionDocument>;
  sessionRevocations: Collection<SessionRevocationDocument>;
}

export function sessionsOf(db: Db): SessionCollections {
  return {
    sessions: db.collection('sessions'),
    sessionRevocations: db.collection(SESSION_REVOCATIONS),
  };
}

/** Ended sessions stay in the list for a while. */
const ENDED_KEPT_SECONDS = 7 * 24 * 3600;

/** Creates the indexes; idempotent. */
export async function ensureSessionIndexes(db: Db): Promise<void> {
  const { sessions, sessionRevocations } = sessionsOf(db);
  await sessions.createIndex({ token_hash: 1 }, uniqueIfPresent('token_hash'));
  await sessions.createIndex({ cookie_hash: 1 }, uniqueIfPresent('cookie_hash'));
  await sessions.createIndex({ tenant: 1, _id: 1 });
  await sessions.createIndex({ expires_at: 1 }, { expireAfterSeconds: ENDED_KEPT_SECONDS });
  await sessionRevocations.createIndex({ expires_at: 1 }, { expireAfterSeconds: 0 });
}

function uniqueIfPresent(field: string) {
  return { unique: true, partialFilterExpression: { [field]: { $type: 'string' } } };
}

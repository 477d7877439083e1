import { holds, type Principal } from '#domain/authorization.ts';
import { capabilities } from '#domain/capabilities.ts';
import type { SessionDocument } from '#infra/mongo/sessions.ts';
import type { SessionResource } from '#wire/api/portal/session.ts';
import { csrfTokenOf } from './cookies.ts';

/** The session of a caller as the API shows it. */
export function describeCaller(
  principal: Principal,
  session: SessionDocument | undefined,
  cookie: string | undefined,
): SessionResource {
  return {
    id: principal.keyId,
    kind: session?.kind ?? (principal.keyId.startsWith('key_') ? 'api_key' : 'access_token'),
    tenant_id: principal.tenant ?? null,
    role: session?.role ?? null,
    name: session?.name ?? null,
    capabilities: capabilities.filter((each) => holds(principal, each)),
    event_types: principal.eventTypes === undefined ? null : [...principal.eventTypes],
    theme: session?.theme ?? null,
    expires_at: session?.expires_at.toISOString() ?? null,
    csrf_token: cookie === undefined ? null : csrfTokenOf(cookie),
  };
}

import { mayBePlain } from '#domain/egress.ts';
import type { BodyFormat } from '#domain/endpoint.ts';
import type { OAuth2Credentials } from '#domain/outbound-credentials.ts';
import type { EndpointSnapshot } from '#wire/config-snapshot.ts';
import { type Signer, createSigner } from '#wire/signature.ts';
import { openEndpointCredentials } from './endpoint-credentials.ts';
import type { Destination } from './sender-pool.ts';

/** What an attempt needs of an endpoint, prepared once for each change of its configuration. */
export interface EndpointTarget {
  snapshot: EndpointSnapshot;
  destination: Destination;
  path: string;
  format: BodyFormat;
  /** Names and values in turn; the operator's and the tenant's own headers, and the credentials that stay the same. */
  fixedHeaders: string[];
  /** What an access token is asked for with. */
  oauth2: OAuth2Credentials | undefined;
  /** What no record may hold. */
  secretTexts: string[];
  signers: { sign: Signer; notAfterMs: number }[];
  /** True where http is used although the host is not in an allowed private network. */
  insecure: boolean;
}

export interface TargetDeps {
  /** Opens a sealed secret. @throws where the master key does not fit */
  openSecret: (sealed: string, context: string) => string;
  /** True for an address in a network that the operator allowed. */
  isAllowedPrivate: (address: string) => boolean;
  /** True where this is a tenant of the probe, and the URL the probe's receiver. */
  isProbeReceiver: (tenant: string, url: string) => boolean;
}

export const USER_AGENT = 'Posthorn/1 (+https://posthorn.dev)';

/**
 * Makes what every attempt under a configuration needs: opens the secrets, renders the fixed headers.
 *
 * @throws Error where a secret cannot be opened
 */
export function prepareTarget(
  tenant: string,
  snapshot: EndpointSnapshot,
  deps: TargetDeps,
): EndpointTarget {
  const url = new URL(snapshot.url);
  const { headers, certificate, oauth2, secretTexts } = openEndpointCredentials(
    snapshot,
    deps.openSecret,
  );
  return {
    snapshot,
    destination: { origin: url.origin, certificate },
    path: url.pathname + url.search,
    format: snapshot.format,
    fixedHeaders: ['user-agent', USER_AGENT, ...headers],
    oauth2,
    secretTexts,
    signers: snapshot.secrets.map((secret) => ({
      sign: createSigner(deps.openSecret(secret.sealed, snapshot.id)),
      notAfterMs: secret.notAfterMs ?? Number.POSITIVE_INFINITY,
    })),
    insecure:
      url.protocol === 'http:' &&
      !mayBePlain(url.hostname, deps.isAllowedPrivate) &&
      !deps.isProbeReceiver(tenant, url.origin),
  };
}

/** `webhook-signature`: one signature for each secret that is still valid, so that rotation breaks nobody. */
export function signatures(
  target: EndpointTarget,
  id: string,
  timestampSeconds: number,
  body: Uint8Array,
): string {
  const nowMs = timestampSeconds * 1000;
  let value = '';
  for (const { sign, notAfterMs } of target.signers) {
    if (notAfterMs < nowMs) continue;
    value += `${value === '' ? '' : ' '}${sign(id, timestampSeconds, body)}`;
  }
  return value;
}

import { mayBePlain } from '#domain/endpoint/egress.ts';
import type { AttemptFailureKind } from '#domain/outcome/delivery.ts';
import type { BodyFormat } from '#domain/endpoint/endpoint.ts';
import type { OAuth2Credentials } from '#domain/endpoint/outbound-credentials.ts';
import { type TargetUrl, parseTargetUrl } from '#domain/endpoint/target-url/target-url.ts';
import type { EndpointSnapshot } from '#wire/config-snapshot.ts';
import { type Signer, createSigner } from '#wire/webhook/signature.ts';
import { openEndpointCredentials } from './endpoint-credentials.ts';
import type { Destination } from './sender-pool.ts';

/** What an attempt needs of an endpoint, prepared once for each change of its configuration. */
export interface EndpointTarget {
  snapshot: EndpointSnapshot;
  url: TargetUrl;
  destination: Destination;
  format: BodyFormat;
  /** Names and values in turn; the operator's and the tenant's own headers, and the credentials that stay the same. */
  fixedHeaders: string[];
  /** What an access token is asked for with. */
  oauth2: OAuth2Credentials | undefined;
  /** What no record may hold. */
  secretTexts: string[];
  signers: { sign: Signer; notAfterMs: number }[];
  /** Why nothing is sent to the URL, by what is known without a look-up; undefined: it is. */
  refusal: { kind: AttemptFailureKind; detail: string } | undefined;
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
  const parsed = parseTargetUrl(snapshot.url);
  const url = parsed.ok ? parsed.url : NOWHERE;
  const { headers, certificate, oauth2, secretTexts } = openEndpointCredentials(
    snapshot,
    deps.openSecret,
  );
  return {
    snapshot,
    url,
    destination: { origin: url.origin, certificate },
    format: snapshot.format,
    fixedHeaders: ['user-agent', USER_AGENT, ...headers],
    oauth2,
    secretTexts,
    signers: snapshot.secrets.map((secret) => ({
      sign: createSigner(deps.openSecret(secret.sealed, snapshot.id)),
      notAfterMs: secret.notAfterMs ?? Number.POSITIVE_INFINITY,
    })),
    refusal: parsed.ok ? refusalOf(tenant, url, deps) : cannotBeUsed(parsed.fault),
  };
}

/** In the place of a URL that an earlier version stored and that nothing can be sent to (RFC 2606). */
const NOWHERE: TargetUrl = {
  href: 'https://invalid/',
  protocol: 'https:',
  hostname: 'invalid',
  port: 443,
  origin: 'https://invalid',
  path: '/',
};

function cannotBeUsed(fault: string): EndpointTarget['refusal'] {
  return { kind: 'dns', detail: `the URL ${fault}: change it` };
}

function refusalOf(tenant: string, url: TargetUrl, deps: TargetDeps): EndpointTarget['refusal'] {
  const mayBeSent =
    url.protocol === 'https:' ||
    mayBePlain(url.hostname, deps.isAllowedPrivate) ||
    deps.isProbeReceiver(tenant, url.origin);
  return mayBeSent ? undefined : FORBIDDEN_HTTP;
}

const FORBIDDEN_HTTP = {
  kind: 'forbidden_address',
  detail: 'http is allowed only to networks that the operator named (POSTHORN_EGRESS_ALLOW)',
} as const;

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

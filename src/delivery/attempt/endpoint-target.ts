import { mayBePlain } from '#domain/endpoint/egress.ts';
import type { AttemptFailureKind } from '#domain/outcome/delivery.ts';
import type { BodyFormat } from '#domain/endpoint/endpoint.ts';
import type { OAuth2Credentials } from '#domain/endpoint/outbound-credentials.ts';
import { type TargetUrl, parseTargetUrl } from '#domain/endpoint/target-url/target-url.ts';
import type { EndpointSnapshot } from '#wire/config-snapshot.ts';
import { sequenceText } from '#wire/webhook/sequence-headers.ts';
import {
  type Signer,
  type TextSigner,
  createSigner,
  createTextSigner,
} from '#wire/webhook/signature.ts';
import { openEndpointCredentials } from './endpoint-credentials.ts';
import type { Destination } from './sender-pool.ts';

/** An endpoint's configuration, prepared for sending once per change. */
export interface EndpointTarget {
  snapshot: EndpointSnapshot;
  url: TargetUrl;
  destination: Destination;
  format: BodyFormat;
  /**
   * Alternating names and values: the operator's and the tenant's own headers, and fixed
   * credentials.
   */
  fixedHeaders: string[];
  /** Credentials for access-token requests. */
  oauth2: OAuth2Credentials | undefined;
  /** Secrets that no record may contain. */
  secretTexts: string[];
  signers: { sign: Signer; notAfterMs: number }[];
  /** Sign the numbers of a sequenced endpoint's webhooks; empty for other endpoints. */
  textSigners: { sign: TextSigner; notAfterMs: number }[];
  /**
   * Why sending to the URL is refused, as far as known without a DNS lookup; undefined if it is
   * allowed.
   */
  refusal: { kind: AttemptFailureKind; detail: string } | undefined;
}

export interface TargetDeps {
  /** Opens a sealed secret. @throws if the master key does not fit */
  openSecret: (sealed: string, context: string) => string;
  /** Whether the address is in a network that the operator allowed. */
  isAllowedPrivate: (address: string) => boolean;
  /** Whether the tenant belongs to the probe and the URL is the probe's receiver. */
  isProbeReceiver: (tenant: string, url: string) => boolean;
}

export const USER_AGENT = 'Posthorn/1 (+https://posthorn.dev)';

/**
 * Prepares a configuration for its attempts: opens the secrets and renders the fixed headers.
 *
 * @throws Error if a secret cannot be opened
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
  const secrets = snapshot.secrets.map(({ sealed, notAfterMs }) => ({
    text: deps.openSecret(sealed, snapshot.id),
    notAfterMs: notAfterMs ?? Number.POSITIVE_INFINITY,
  }));
  return {
    snapshot,
    url,
    destination: { origin: url.origin, certificate },
    format: snapshot.format,
    fixedHeaders: ['user-agent', USER_AGENT, ...originHeader(snapshot), ...headers],
    oauth2,
    secretTexts,
    signers: secrets.map(({ text, notAfterMs }) => ({ sign: createSigner(text), notAfterMs })),
    textSigners:
      snapshot.sequenced === true
        ? secrets.map(({ text, notAfterMs }) => ({ sign: createTextSigner(text), notAfterMs }))
        : [],
    refusal: parsed.ok ? refusalOf(tenant, url, deps) : cannotBeUsed(parsed.fault),
  };
}

/** The receiver agreed to webhooks of this origin (CloudEvents webhooks 1.0.2, section 4.2). */
function originHeader({ requestOrigin }: EndpointSnapshot): string[] {
  return requestOrigin === undefined ? [] : ['webhook-request-origin', requestOrigin];
}

/** Placeholder for a URL that an earlier version stored and that cannot be used (RFC 2606). */
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
  detail: 'http is allowed only to networks listed in POSTHORN_EGRESS_ALLOW',
} as const;

/**
 * Value of `webhook-signature`: one signature for each secret that is still valid, so that
 * receivers keep verifying during a rotation.
 */
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

/** Value of `posthorn-sequence-signature`; as `signatures`, over the number of the webhook. */
export function sequenceSignatures(
  target: EndpointTarget,
  id: string,
  timestampSeconds: number,
  sequence: number,
): string {
  const text = sequenceText(id, timestampSeconds, sequence);
  return target.textSigners
    .filter(({ notAfterMs }) => notAfterMs >= timestampSeconds * 1000)
    .map(({ sign }) => sign(text))
    .join(' ');
}

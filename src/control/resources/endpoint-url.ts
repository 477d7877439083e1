import { isIP } from 'node:net';
import { type EgressGuard, mayBePlain } from '#domain/endpoint/egress.ts';
import type { ProbeReceiver } from '#domain/canary.ts';
import { PosthornError } from '#domain/errors.ts';
import {
  type ParsedTargetUrl,
  type TargetUrl,
  parseTargetUrl,
} from '#domain/endpoint/target-url/target-url.ts';

/**
 * Checks a URL in a request (CT-2, DL-13): its form, and its host if that is an address. The
 * addresses of a host name are checked at each delivery, before the connection is made.
 * http is accepted for networks that the operator allowed: an address in one, or `localhost` if
 * loopback is allowed.
 *
 * @returns the normalized URL, so that two spellings of one URL compare as equal
 * @throws PosthornError POSTHORN_ENDPOINT_URL_FORBIDDEN
 */
export function checkEndpointUrl(text: string, guard: EgressGuard): string {
  const checked = checkTargetUrl(text, guard);
  if (checked.ok) return checked.url.href;
  const { fault } = checked;
  throw new PosthornError('POSTHORN_ENDPOINT_URL_FORBIDDEN', {
    detail: `the URL ${fault}`,
    fields: [{ pointer: '/url', detail: fault }],
  });
}

/**
 * Checks the URL of a tenant's endpoint with `checkEndpointUrl`; endpoints of the probe may also
 * use the probe's receiver.
 */
export function checkTenantUrl(
  tenant: string,
  text: string,
  deps: { guard: EgressGuard; probeReceiver: ProbeReceiver },
): string {
  const parsed = parseTargetUrl(text);
  if (parsed.ok && deps.probeReceiver.isAt(tenant, parsed.url.origin)) return parsed.url.href;
  return checkEndpointUrl(text, deps.guard);
}

/** Parses a URL, and rejects one that must not be requested. */
export function checkTargetUrl(text: string, guard: EgressGuard): ParsedTargetUrl {
  const parsed = parseTargetUrl(text);
  const fault = parsed.ok ? addressFault(parsed.url, guard) : undefined;
  return fault === undefined ? parsed : { ok: false, fault };
}

/** Returns the normalized form of a URL: an earlier version stored URLs as they were given. */
export function shownUrl(stored: string): string {
  const parsed = parseTargetUrl(stored);
  return parsed.ok ? parsed.url.href : stored;
}

function addressFault({ protocol, hostname }: TargetUrl, guard: EgressGuard): string | undefined {
  const isLocalhost = hostname === 'localhost' || hostname.endsWith('.localhost');
  const address = isLocalhost ? '127.0.0.1' : hostname;
  if (isIP(address) !== 0 && !guard.mayDial(address)) {
    return 'is in a private network that this installation does not deliver to';
  }
  const isPlain = protocol === 'http:';
  return isPlain && !mayBePlain(hostname, (ip) => guard.isAllowedPrivate(ip))
    ? 'must be https'
    : undefined;
}

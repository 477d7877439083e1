import { isIP } from 'node:net';
import type { EgressGuard } from '#domain/egress.ts';
import type { ProbeReceiver } from '#domain/canary.ts';
import { PosthornError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';

/**
 * Checks a URL on its way in (CT-2, DL-13): the form of it, and the host where that is an address. What a
 * name resolves to is checked at each delivery, on the address that is dialled.
 *
 * http is for networks that the operator named: an address in one, or `localhost` where loopback is in one.
 *
 * @returns the URL in its normal form (WHATWG), so that two spellings of one URL compare as equal
 * @throws PosthornError POSTHORN_ENDPOINT_URL_FORBIDDEN
 */
export function checkEndpointUrl(text: string, guard: EgressGuard): string {
  const fault = urlFault(text, guard);
  if (fault === undefined) return new URL(text).href;
  throw new PosthornError('POSTHORN_ENDPOINT_URL_FORBIDDEN', {
    detail: `the URL ${fault}`,
    fields: [{ pointer: '/url', detail: fault }],
  });
}

/** As `checkEndpointUrl`, of an endpoint of a tenant: one of the probe's may be at the probe's receiver. */
export function checkTenantUrl(
  tenant: string,
  text: string,
  deps: { guard: EgressGuard; probeReceiver: ProbeReceiver },
): string {
  if (deps.probeReceiver.isAt(tenant, text)) return new URL(text).href;
  return checkEndpointUrl(text, deps.guard);
}

/** What stands against sending to a URL, for the words `the URL …`; undefined: nothing. */
export function urlFault(text: string, guard: EgressGuard): string | undefined {
  if (!URL.canParse(text)) return 'is not a URL';
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'must be https';
  if (url.username !== '' || url.password !== '') {
    return 'must not hold credentials; send them in a header';
  }
  if (url.hash !== '' || text.includes('#')) return 'must not have a fragment';
  if (url.href.length > limits.endpointUrlLengthMax) {
    return `is longer than ${limits.endpointUrlLengthMax} characters`;
  }
  if (url.port === '0') return 'has a port that nobody can listen on';
  return hostFault(url, guard);
}

function hostFault(url: URL, guard: EgressGuard): string | undefined {
  const host = url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
  const isLocalhost = host === 'localhost' || host.endsWith('.localhost');
  const address = isLocalhost ? '127.0.0.1' : host;
  if (isIP(address) !== 0 && !guard.mayDial(address)) {
    return 'is in a private network that this installation does not deliver to';
  }
  const mayBePlain = (isIP(host) !== 0 || host === 'localhost') && guard.isAllowedPrivate(address);
  return url.protocol === 'http:' && !mayBePlain ? 'must be https' : undefined;
}

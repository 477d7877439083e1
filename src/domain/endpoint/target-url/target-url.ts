/**
 * Parses every URL that requests are sent to: endpoints, token endpoints, and URLs in settings. It
 * runs when a URL is accepted and again when it is dialled, so both use the same host, port and
 * path; TLS, the `host` header and the request's path come from the result. URLs stored by earlier
 * versions are parsed the same way at each use.
 *
 * The normal form follows the WHATWG (lower case, punycode, one spelling of IPv4 and IPv6
 * addresses, no default port, no dot segments), without a final dot of the host name. A `?` before
 * an empty query is kept.
 */
import { isIP } from 'node:net';
import { limits } from '../../limits.ts';

export interface TargetUrl {
  /** The normal form: stored, shown and compared. */
  href: string;
  protocol: 'http:' | 'https:';
  /** A name, or an address without brackets. */
  hostname: string;
  port: number;
  /** Scheme, host, and the port unless it is the default. */
  origin: string;
  /** Path and query, as in the request line. */
  path: string;
}

/** A URL, or its fault, for messages of the form `the URL …`. */
export type ParsedTargetUrl = { ok: true; url: TargetUrl } | { ok: false; fault: string };

/** RFC 1035, section 2.3.4, in the form of text. */
const HOST_NAME_LENGTH_MAX = 253;
const HOST_LABEL_LENGTH_MAX = 63;

export function parseTargetUrl(text: string): ParsedTargetUrl {
  const written = writtenFault(text);
  if (written !== undefined) return { ok: false, fault: written };
  const url = new URL(text);
  const fault = urlFault(url) ?? hostFault(url);
  if (fault !== undefined) return { ok: false, fault };
  const { href, origin, protocol, hostname, port } = url;
  return {
    ok: true,
    url: {
      href,
      protocol: protocol as TargetUrl['protocol'],
      hostname: hostname.replace(/^\[|\]$/g, ''),
      port: Number(port || (protocol === 'https:' ? 443 : 80)),
      origin,
      path: href.slice(origin.length),
    },
  };
}

/** Rejects spellings that the WHATWG parser changes silently: other parsers read another URL. */
function writtenFault(text: string): string | undefined {
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f]|^ | $/.test(text)) {
    return 'must not hold control characters, nor begin or end with a space';
  }
  if (!URL.canParse(text)) return 'is not a URL';
  if (!/^https?:/i.test(text)) return 'must be https';
  const authority = /^https?:\/\/([^/?#\\]+)/i.exec(text)?.[1];
  if (authority === undefined) return 'is not a URL: must begin with https:// and a host';
  const [beforeQuery = ''] = text.split(/[?#]/, 1);
  if (beforeQuery.includes('\\')) return 'must not hold a backslash';
  if (authority.includes('@')) return 'must not hold credentials; send them in a header';
  if (text.includes('#')) return 'must not have a fragment';
  return undefined;
}

function urlFault(url: URL): string | undefined {
  if (url.port === '0') return 'has port 0, which no server can listen on';
  if (url.href.length > limits.endpointUrlLengthMax) {
    return `is longer than ${limits.endpointUrlLengthMax} characters`;
  }
  return undefined;
}

/** Removes the final dot of a host name: DNS ignores it, but TLS and receivers do not. */
function hostFault(url: URL): string | undefined {
  if (url.hostname.startsWith('[') || isIP(url.hostname) !== 0) return undefined;
  const name = url.hostname.replace(/\.$/, '');
  const labels = name.split('.');
  if (labels.includes('')) return 'has a host name with an empty label (two dots in a row)';
  if (labels.some((label) => label.length > HOST_LABEL_LENGTH_MAX)) {
    return `has a host name with a label of more than ${HOST_LABEL_LENGTH_MAX} characters`;
  }
  if (name.length > HOST_NAME_LENGTH_MAX) {
    return `has a host name of more than ${HOST_NAME_LENGTH_MAX} characters`;
  }
  url.hostname = name;
  return undefined;
}

import { BlockList, isIP } from 'node:net';

/**
 * Decides which addresses a webhook may be sent to (DL-13). Forbidden are networks outside the
 * public Internet: IANA's special-purpose registries (RFC 6890,
 * https://www.iana.org/assignments/iana-ipv4-special-registry, iana-ipv6-special-registry) and
 * multicast. These include loopback, private, link-local and cloud metadata addresses. An IPv6 form
 * that carries an IPv4 address is judged by that address.
 */
const FORBIDDEN = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  // Unspecified, loopback, old IPv4-compatible; then the translated addresses of RFC 2765.
  '::/96',
  '::ffff:0:0:0/96',
  '64:ff9b::/96',
  '64:ff9b:1::/48',
  '100::/64',
  '2001::/23',
  '2001:db8::/32',
  '2002::/16',
  '3fff::/20',
  '5f00::/16',
  'fc00::/7',
  'fe80::/10',
  'fec0::/10',
  'ff00::/8',
];

/** @throws Error that names the invalid part */
export function parseNetworks(text: string): BlockList {
  const list = new BlockList();
  for (const part of text.split(',').map((network) => network.trim())) {
    if (part === '') continue;
    const [address = '', bits, more] = part.split('/');
    const family = isIP(address);
    const max = family === 4 ? 32 : 128;
    const prefix = bits === undefined ? max : Number(bits);
    const whole = /^\d+$/.test(bits ?? '0') && prefix >= 0 && prefix <= max;
    if (family === 0 || more !== undefined || !whole) {
      throw new Error(`"${part}" is not a network (like 10.0.0.0/8 or fd00::/8)`);
    }
    // Addresses in it are compared as the IPv4 addresses that they carry.
    const mapped = family === 6 && prefix >= 96 ? mappedIPv4(address) : undefined;
    if (mapped !== undefined) list.addSubnet(mapped, prefix - 96, 'ipv4');
    else list.addSubnet(address, prefix, family === 4 ? 'ipv4' : 'ipv6');
  }
  return list;
}

const forbidden = parseNetworks(FORBIDDEN.join(','));

/** Decides whether an address may be dialled. */
export class EgressGuard {
  private readonly allow: BlockList;

  /** @param allow networks, comma separated, that are allowed although forbidden */
  constructor(allow: string) {
    this.allow = parseNetworks(allow);
  }

  /** True if the operator allowed the address's network: plain http is then allowed too. */
  isAllowedPrivate(address: string): boolean {
    return isWithin(this.allow, address);
  }

  mayDial(address: string): boolean {
    return isIP(address) !== 0 && (!isWithin(forbidden, address) || this.isAllowedPrivate(address));
  }
}

/** Whether the address is in one of the networks. An IPv4 address may be written as IPv6. */
export function isWithin(list: BlockList, address: string): boolean {
  const family = isIP(address);
  if (family === 0) return false;
  const mapped = family === 6 ? mappedIPv4(address) : undefined;
  if (mapped !== undefined) return list.check(mapped, 'ipv4');
  return list.check(address, family === 4 ? 'ipv4' : 'ipv6');
}

/** `::ffff:a.b.c.d` and `::a.b.c.d` in every spelling, as the IPv4 address that they reach. */
function mappedIPv4(address: string): string | undefined {
  let host: string;
  try {
    host = new URL(`http://[${address.split('%')[0]}]`).hostname.slice(1, -1);
  } catch {
    return undefined;
  }
  const match = /^::(?:ffff:)?([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(host);
  if (match === null) return undefined;
  const high = Number.parseInt(match[1] as string, 16);
  const low = Number.parseInt(match[2] as string, 16);
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

/**
 * Whether plain http is allowed for a host: only in a network that the operator named (DL-13).
 *
 * @param hostname of a `TargetUrl`
 */
export function mayBePlain(
  hostname: string,
  isAllowedPrivate: (address: string) => boolean,
): boolean {
  if (isIP(hostname) !== 0) return isAllowedPrivate(hostname);
  return hostname === 'localhost' && isAllowedPrivate('127.0.0.1');
}

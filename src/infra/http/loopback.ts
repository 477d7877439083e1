import { isIPv4 } from 'node:net';

/**
 * Whether the host of a listener or of a URL is reachable from this machine only. IPv6 without
 * brackets.
 */
export function isLoopbackHost(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}

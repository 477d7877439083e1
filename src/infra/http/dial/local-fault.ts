import { closeSync, openSync } from 'node:fs';
import { devNull, networkInterfaces } from 'node:os';

/**
 * A fault of this machine that kept a request from being sent. It says nothing about the receiver.
 *
 * - `descriptors`: No file descriptor is left.
 * - `memory`: No memory for a socket.
 * - `ports`: No local port is left.
 * - `network`: The machine has no network.
 * - `resolver`: Its name servers do not answer.
 * - `lookups`: Too many names wait to be looked up.
 */
export const localFaults = [
  'descriptors',
  'memory',
  'ports',
  'network',
  'resolver',
  'lookups',
] as const;
export type LocalFault = (typeof localFaults)[number];

const BY_CODE: Readonly<Record<string, LocalFault>> = {
  EMFILE: 'descriptors',
  ENFILE: 'descriptors',
  ENOBUFS: 'memory',
  ENOMEM: 'memory',
  EAI_MEMORY: 'memory',
  EADDRNOTAVAIL: 'ports',
  // Of `connect`: no free local port (connect(2)).
  EAGAIN: 'ports',
  ENETDOWN: 'network',
  ENETUNREACH: 'network',
  POSTHORN_RESOLVER_DOWN: 'resolver',
  POSTHORN_NAMES_FULL: 'lookups',
};

/**
 * Names the local fault behind an error of a dial or a look-up; undefined if it may be the
 * receiver's.
 *
 * @param error of a request of which nothing was sent
 */
export function localFaultOf(error: Error): LocalFault | undefined {
  const { code = '', address } = error as { code?: string; address?: string };
  const fault = BY_CODE[code];
  // A machine without IPv6 stays without it: a receiver with IPv6 addresses only stays unreachable.
  if (code === 'EADDRNOTAVAIL' && address?.includes(':') && !hasInterface('IPv6')) return undefined;
  // One destination may be unreachable; a machine with loopback alone reaches none.
  if (code === 'ENETUNREACH' && hasInterface()) return undefined;
  return fault;
}

/**
 * Whether an interface with an address is up: of any family, loopback excluded, or of this family.
 */
function hasInterface(family?: 'IPv6'): boolean {
  return Object.values(networkInterfaces()).some((addresses) =>
    addresses?.some((address) =>
      family === undefined ? !address.internal : address.family === family,
    ),
  );
}

/** Whether the process can open no more files at this moment. */
export function isOutOfDescriptors(): boolean {
  try {
    closeSync(openSync(devNull, 'r'));
    return false;
  } catch (error) {
    return BY_CODE[(error as NodeJS.ErrnoException).code ?? ''] === 'descriptors';
  }
}

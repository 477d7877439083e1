import { type Socket, isIP } from 'node:net';
import type { SecureContext } from 'node:tls';
import { buildConnector } from 'undici';
import type { Clock } from '#domain/clock.ts';
import type { EgressGuard } from '#domain/endpoint/egress.ts';
import { type Connected, DialRace, interleaveFamilies } from './dial-race.ts';
import type { AddressLookup } from './dns-cache.ts';

/** A webhook's address is not one that may be dialled (DL-13). */
export class ForbiddenAddressError extends Error {
  readonly code = 'POSTHORN_FORBIDDEN_ADDRESS';
  constructor(host: string) {
    super(`${host} leads to an address that is not public`);
    this.name = 'ForbiddenAddressError';
  }
}

/** Makes the connections of one undici client. */
export interface Dial {
  connect: buildConnector.connector;
  /** Ends a dial in progress, whose connection is needed no more. */
  cancel: () => void;
}

/**
 * Makes connectors for undici that check each dialled address after name resolution. A name that
 * changes its address between check and use (DNS rebinding) therefore gains nothing. All connectors
 * share the TLS sessions.
 *
 * @param options.timeoutMs of the look-up, and of the dial to all addresses, TLS included
 * @param options.secureContext client certificate and trusted authorities; absent: no client
 *   certificate, and Node's authorities
 */
export function guardedDials(options: {
  guard: EgressGuard;
  lookUpAddresses: AddressLookup;
  timeoutMs: number;
  secureContext?: SecureContext | undefined;
  clock: Clock;
}): () => Dial {
  const { secureContext } = options;
  const connectTo = buildConnector({
    // The race has one time limit for all its tries.
    timeout: 0,
    ...(secureContext === undefined ? {} : { secureContext }),
  });
  return () => {
    let cancel: (() => void) | undefined;
    return {
      connect: (target, callback) => {
        cancel = dial(options, connectTo, target, callback);
      },
      cancel: () => cancel?.(),
    };
  };
}

/** @returns a function that cancels the dial; the callback is not called then */
function dial(
  options: Pick<
    Parameters<typeof guardedDials>[0],
    'guard' | 'lookUpAddresses' | 'timeoutMs' | 'clock'
  >,
  connectTo: buildConnector.connector,
  target: buildConnector.Options,
  callback: buildConnector.Callback,
): () => void {
  const { guard, lookUpAddresses, clock } = options;
  const endMs = clock.monotonicMs() + options.timeoutMs;
  let race: DialRace | undefined;
  let cancelled = false;
  const start = (addresses: readonly string[]): void => {
    if (cancelled) return;
    // Addresses are checked for each dial, from whichever source they come, a cache included.
    const allowed = addresses.filter((address) => guard.mayDial(address));
    if (allowed.length === 0) callback(new ForbiddenAddressError(target.hostname), null);
    else {
      const timeoutMs = Math.max(1, endMs - clock.monotonicMs());
      race = new DialRace({ addresses: allowed, startTry, timeoutMs, clock }, settle);
    }
  };
  const settle: Connected = (error, socket) => {
    if (error === null) callback(null, socket as Socket);
    else callback(error, null);
  };
  const startTry = (address: string, connected: Connected): Socket =>
    // undici's types omit the return value of its connector.
    connectTo({ ...target, hostname: address }, connected) as unknown as Socket;
  const host = target.hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0) start([host]);
  else {
    lookUpAddresses(host, options.timeoutMs, (error, addresses) => {
      if (error === null) start(interleaveFamilies(addresses));
      else if (!cancelled) callback(error, null);
    });
  }
  return () => {
    cancelled = true;
    race?.cancel();
  };
}

import { type LookupFunction, isIP } from 'node:net';
import type { SecureContext } from 'node:tls';
import { buildConnector } from 'undici';
import type { EgressGuard } from '#domain/egress.ts';
import type { FindAddresses } from './name-lookups.ts';

/** The address that a webhook would go to is not one that may be dialled (DL-13). */
export class ForbiddenAddressError extends Error {
  readonly code = 'POSTHORN_FORBIDDEN_ADDRESS';
  constructor(host: string) {
    super(`${host} leads to an address that is not public`);
    this.name = 'ForbiddenAddressError';
  }
}

/**
 * A connector for undici that looks at the address which is really dialled, after name resolution, so that
 * a name which changes its address between check and use (DNS rebinding) gains nothing.
 *
 * @param options.timeoutMs of the dial, TLS included
 * @param options.secureContext what TLS shows and trusts; absent: no client certificate, and what Node trusts
 */
export function guardedConnector(options: {
  guard: EgressGuard;
  findAddresses: FindAddresses;
  timeoutMs: number;
  secureContext?: SecureContext | undefined;
}): buildConnector.connector {
  const { guard, timeoutMs, secureContext } = options;
  const connect = buildConnector({
    timeout: timeoutMs,
    lookup: guardedLookup(guard, options.findAddresses, timeoutMs),
    // Where a name has several addresses, try the next after a moment (RFC 8305).
    autoSelectFamily: true,
    ...(secureContext === undefined ? {} : { secureContext }),
  });
  return (target, callback) => {
    const host = target.hostname.replace(/^\[|\]$/g, '');
    // A literal address is dialled without a look-up, so it is judged here.
    if (isIP(host) !== 0 && !guard.mayDial(host)) callback(new ForbiddenAddressError(host), null);
    else connect(target, callback);
  };
}

/** Wherever the addresses come from, also where they were kept, they are judged for this dial. */
function guardedLookup(
  guard: EgressGuard,
  findAddresses: FindAddresses,
  timeoutMs: number,
): LookupFunction {
  return (hostname, options, callback) => {
    findAddresses(hostname, timeoutMs, (error, addresses) => {
      if (error !== null) {
        callback(error, '', 0);
        return;
      }
      const allowed = addresses.filter(({ address }) => guard.mayDial(address));
      const first = allowed[0];
      if (first === undefined) callback(new ForbiddenAddressError(hostname), '', 0);
      else if (options.all === true) callback(null, allowed);
      else callback(null, first.address, first.family);
    });
  };
}

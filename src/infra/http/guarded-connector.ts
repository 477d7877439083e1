import { type LookupAddress, lookup } from 'node:dns';
import { type LookupFunction, isIP } from 'node:net';
import type { SecureContext } from 'node:tls';
import { buildConnector } from 'undici';
import type { EgressGuard } from '#domain/egress.ts';

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
 * @param timeoutMs of the dial, TLS included
 * @param secureContext what TLS shows and trusts; absent: no client certificate, and what Node trusts
 */
export function guardedConnector(
  guard: EgressGuard,
  timeoutMs: number,
  secureContext?: SecureContext,
): buildConnector.connector {
  const connect = buildConnector({
    timeout: timeoutMs,
    lookup: guardedLookup(guard),
    // Where a name has several addresses, try the next after a moment (RFC 8305).
    autoSelectFamily: true,
    ...(secureContext === undefined ? {} : { secureContext }),
  });
  return (options, callback) => {
    const host = options.hostname.replace(/^\[|\]$/g, '');
    // A literal address is dialled without a look-up, so it is judged here.
    if (isIP(host) !== 0 && !guard.mayDial(host)) callback(new ForbiddenAddressError(host), null);
    else connect(options, callback);
  };
}

/**
 * Dials that wait for the same name share one look-up. The system's resolver works in a few threads that all tenants
 * share: where a name server does not answer, one name must not take them all for many seconds.
 */
function guardedLookup(guard: EgressGuard): LookupFunction {
  const waiting = new Map<string, Found[]>();
  return (hostname, options, callback) => {
    const found: Found = (error, addresses) => {
      if (error !== null) {
        callback(error, '', 0);
        return;
      }
      const allowed = addresses.filter(({ address }) => guard.mayDial(address));
      const first = allowed[0];
      if (first === undefined) callback(new ForbiddenAddressError(hostname), '', 0);
      else if (options.all === true) callback(null, allowed);
      else callback(null, first.address, first.family);
    };
    const others = waiting.get(hostname);
    if (others !== undefined) {
      others.push(found);
      return;
    }
    const all = [found];
    waiting.set(hostname, all);
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      waiting.delete(hostname);
      for (const tell of all) tell(error, addresses);
    });
  };
}

type Found = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void;

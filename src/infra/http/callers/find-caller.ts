import type { Principal } from '#domain/authorization.ts';
import { isPosthornError, PosthornError } from '#domain/errors.ts';
import type { Authenticate } from '../server/authenticate.ts';
import type { KeyUses } from './key-uses.ts';
import type { WrongKeys } from './wrong-keys.ts';

/**
 * Finds the caller by the header `authorization`, sent from an address. Returns a promise only if a
 * server has to answer first: API keys are found without one.
 *
 * @throws PosthornError POSTHORN_KEY_MISSING, POSTHORN_KEY_INVALID, POSTHORN_KEY_TRIES_EXCEEDED
 */
export type FindCaller = (
  authorization: string | undefined,
  address: string,
) => Principal | Promise<Principal>;

/** A kind of token that callers can send in place of an API key. */
export interface TokenKind {
  /** Whether the credential has the form of this kind. */
  fits(authorization: string): boolean;
  find(authorization: string): Principal | Promise<Principal>;
}

export interface FindCallerDeps {
  authenticate: Authenticate;
  tokens: readonly TokenKind[];
  uses: KeyUses;
  /** Undefined: wrong keys are not slowed. */
  wrongKeys: WrongKeys | undefined;
}

/**
 * Creates the function that finds callers, counts wrong keys by address, and records the use of
 * right ones.
 *
 * An address that has sent too many wrong keys gets 429 for every key that this process has not
 * accepted before: otherwise it could still recognize a right one. Callers behind the same address
 * that were accepted before are not affected.
 */
export function createFindCaller(deps: FindCallerDeps): FindCaller {
  const { authenticate, tokens, uses, wrongKeys } = deps;
  const find: FindCaller = (authorization) => {
    const text = authorization ?? '';
    const kind = tokens.find((each) => each.fits(text));
    return kind === undefined ? authenticate(authorization) : kind.find(text);
  };
  const accept = (principal: Principal, address: string): Principal => {
    if (!uses.has(principal.keyId)) refuseIfSlowed(wrongKeys, address);
    uses.record(principal.keyId);
    return principal;
  };
  const refuse = (error: unknown, address: string): unknown => {
    if (!isPosthornError(error) || error.code !== 'POSTHORN_KEY_INVALID') return error;
    refuseIfSlowed(wrongKeys, address);
    wrongKeys?.record(address);
    return error;
  };
  return (authorization, address) => {
    let found: Principal | Promise<Principal>;
    try {
      found = find(authorization, address);
    } catch (error) {
      throw refuse(error, address);
    }
    if (!(found instanceof Promise)) return accept(found, address);
    return found.then(
      (principal) => accept(principal, address),
      (error: unknown) => {
        throw refuse(error, address);
      },
    );
  };
}

/** @throws PosthornError POSTHORN_KEY_TRIES_EXCEEDED */
function refuseIfSlowed(wrongKeys: WrongKeys | undefined, address: string): void {
  const waitMs = wrongKeys?.waitMs(address) ?? 0;
  if (waitMs === 0) return;
  throw new PosthornError('POSTHORN_KEY_TRIES_EXCEEDED', {
    retryAfterSeconds: Math.ceil(waitMs / 1000),
  });
}

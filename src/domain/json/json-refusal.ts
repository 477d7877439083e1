import { type ErrorCode, PosthornError } from '#domain/errors.ts';
import { JsonFault } from './json-fault.ts';

/**
 * The error for a body that was not read to its end; returns any other thrown value unchanged.
 *
 * @param boundCode for a body that exceeds a bound
 */
export function jsonRefusal(thrown: unknown, boundCode: ErrorCode): unknown {
  if (!(thrown instanceof JsonFault)) return thrown;
  const { kind, message, pointer } = thrown;
  if (kind === 'bound')
    return new PosthornError(boundCode, { fields: [{ pointer, detail: message }] });
  return new PosthornError('POSTHORN_BODY_INVALID', { detail: `the body is not JSON: ${message}` });
}

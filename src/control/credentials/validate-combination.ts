import { type FieldError, PosthornError } from '#domain/errors.ts';
import type { EndpointDocument } from '#infra/mongo/configuration.ts';
import { childPointer } from '#domain/json-pointer.ts';
import { type CredentialSettings, headerNames } from './endpoint-credentials.ts';

/**
 * Checks that the fields of an endpoint are consistent after a change.
 *
 * @param body the request: errors name its fields
 * @throws PosthornError POSTHORN_REQUEST_INVALID
 */
export function validateCombination(
  endpoint: EndpointDocument,
  body: CredentialSettings & { url?: string },
): void {
  const fields: FieldError[] = [];
  if (endpoint.credentials && headerNames(endpoint).includes('authorization')) {
    const given = Object.keys(body.headers ?? {}).find(
      (name) => name.toLowerCase() === 'authorization',
    );
    fields.push(
      given === undefined
        ? {
            pointer: '/credentials',
            detail: 'cannot be combined with the header field authorization',
          }
        : {
            pointer: childPointer('/headers', given),
            detail: 'cannot be combined with credentials',
          },
    );
  }
  if (endpoint.client_certificate && endpoint.url.startsWith('http:')) {
    fields.push(
      body.client_certificate
        ? { pointer: '/client_certificate', detail: 'requires an endpoint with https' }
        : { pointer: '/url', detail: 'must be https for the client certificate' },
    );
  }
  if (fields.length > 0) throw new PosthornError('POSTHORN_REQUEST_INVALID', { fields });
}

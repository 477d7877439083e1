import { type FieldError, PosthornError } from '#domain/errors.ts';
import type { EndpointDocument } from '#infra/mongo/configuration.ts';
import { childPointer } from '#domain/json-pointer.ts';
import { type CredentialSettings, headerNames } from './endpoint-credentials.ts';

/**
 * Checks that what an endpoint has after a change goes together.
 *
 * @param body what was asked for: its fields are the ones that are named
 * @throws PosthornError POSTHORN_REQUEST_INVALID
 */
export function checkTogether(
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
        ? { pointer: '/credentials', detail: 'cannot stand beside the header field authorization' }
        : { pointer: childPointer('/headers', given), detail: 'cannot stand beside credentials' },
    );
  }
  if (endpoint.client_certificate && endpoint.url.startsWith('http:')) {
    fields.push(
      body.client_certificate
        ? { pointer: '/client_certificate', detail: 'needs an endpoint with https' }
        : { pointer: '/url', detail: 'must be https for the client certificate' },
    );
  }
  if (fields.length > 0) throw new PosthornError('POSTHORN_REQUEST_INVALID', { fields });
}

import type { FastifyRequest } from 'fastify';
import { PosthornError } from '#domain/errors.ts';
import { unknownField } from '#domain/field-faults.ts';

/**
 * Refuses a query on a route without parameters, as other routes refuse unknown parameters.
 *
 * @throws PosthornError POSTHORN_REQUEST_INVALID that names every parameter
 */
export function refuseQuery(request: FastifyRequest): void {
  if (!request.url.includes('?')) return;
  const names = Object.keys(request.query as object);
  if (names.length === 0) return;
  const fields = names.map((name) => unknownField('#query', name));
  throw new PosthornError('POSTHORN_REQUEST_INVALID', { fields });
}

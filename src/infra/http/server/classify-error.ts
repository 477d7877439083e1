import type { FastifyError } from 'fastify';
import { type ErrorCode, type FieldError, isPosthornError, PosthornError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import { childPointer } from '#domain/json-pointer.ts';
import { isMongoUnavailable, isSearchOverTime } from '#infra/mongo/unavailable.ts';

/**
 * The error that the caller is shown for whatever a route threw: our own as it is; Fastify's by their
 * meaning; MongoDB out of reach as 503, a search over its time as 422; all else, being a bug, as 500 that tells
 * nothing.
 */
export function classifyError(error: unknown): PosthornError {
  if (isPosthornError(error)) return error;
  if (isMongoUnavailable(error)) {
    return new PosthornError('POSTHORN_MONGODB_UNAVAILABLE', { cause: error });
  }
  if (isSearchOverTime(error)) {
    return new PosthornError('POSTHORN_SEARCH_TOO_LONG', { cause: error });
  }
  const fastify = error as Partial<FastifyError>;
  if (fastify.validation !== undefined) return validationError(fastify);
  const code = byFastifyCode[fastify.code ?? ''] ?? byStatus[fastify.statusCode ?? 500];
  if (code === undefined) return new PosthornError('POSTHORN_UNEXPECTED', { cause: error });
  const detail = fastify.message === undefined ? {} : { detail: fastify.message };
  return new PosthornError(code, { ...detail, cause: error });
}

/** https://fastify.dev/docs/latest/Reference/Errors/#fastify-error-codes */
const byFastifyCode: Record<string, ErrorCode> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'POSTHORN_BODY_TOO_LARGE',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'POSTHORN_MEDIA_TYPE_UNSUPPORTED',
  FST_ERR_CTP_INVALID_JSON_BODY: 'POSTHORN_BODY_INVALID',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'POSTHORN_BODY_INVALID',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'POSTHORN_BODY_INVALID',
};

const byStatus: Record<number, ErrorCode> = {
  400: 'POSTHORN_REQUEST_INVALID',
  404: 'POSTHORN_ROUTE_UNKNOWN',
  408: 'POSTHORN_REQUEST_TIMEOUT',
  413: 'POSTHORN_BODY_TOO_LARGE',
  414: 'POSTHORN_URL_TOO_LONG',
  415: 'POSTHORN_MEDIA_TYPE_UNSUPPORTED',
  431: 'POSTHORN_HEADERS_TOO_LARGE',
  503: 'POSTHORN_STOPPING',
};

/** Where a value stood: the start of its pointer. */
const contexts: Record<string, string> = {
  body: '',
  querystring: '#query',
  params: '#path',
  headers: '#header',
};

function validationError(error: Partial<FastifyError>): PosthornError {
  const root = contexts[error.validationContext ?? 'body'] ?? '';
  const faults = helpful(error.validation ?? []);
  const fields = faults.slice(0, limits.fieldErrorsMax).map((fault) => fieldError(root, fault));
  const [first] = fields;
  const more = faults.length > 1 ? ` (and ${faults.length - 1} more)` : '';
  return new PosthornError('POSTHORN_REQUEST_INVALID', {
    detail: first === undefined ? 'not valid' : `${first.pointer || 'body'} ${first.detail}${more}`,
    fields,
  });
}

/** A field that may be null fails in both of its forms; that it is not null helps nobody. */
function helpful<F extends Fault>(faults: F[]): F[] {
  const rest = faults.filter(({ keyword, params }) => {
    return keyword !== 'anyOf' && params['type'] !== 'null';
  });
  return rest.length > 0 ? rest : faults;
}

interface Fault {
  keyword: string;
  instancePath: string;
  message?: string;
  params: Record<string, unknown>;
}

/** An Ajv error (https://ajv.js.org/api.html#error-objects) in our words. */
function fieldError(root: string, fault: Fault): FieldError {
  const { missingProperty, additionalProperty, allowedValues } = fault.params;
  const at = `${root}${fault.instancePath}`;
  if (typeof missingProperty === 'string') {
    return { pointer: childPointer(at, missingProperty), detail: 'is missing' };
  }
  if (typeof additionalProperty === 'string') {
    return { pointer: childPointer(at, additionalProperty), detail: 'is not a known field' };
  }
  if (Array.isArray(allowedValues)) {
    return { pointer: at, detail: `must be one of: ${allowedValues.join(', ')}` };
  }
  return { pointer: at, detail: fault.message ?? 'is not valid' };
}

import type { ErrorObject } from 'ajv';
import type { FastifyError } from 'fastify';
import { type ErrorCode, isPosthornError, PosthornError } from '#domain/errors.ts';
import { describeErrors } from '#domain/json-schema/describe-error.ts';
import { isMongoUnavailable, isSearchOverTime } from '#infra/mongo/unavailable.ts';

/**
 * Maps an error of a route to the error shown to the caller. Our own errors pass unchanged, and
 * Fastify's are mapped by their meaning. MongoDB out of reach becomes 503, a search over its time
 * limit 422. Any other error is a bug: 500 without details.
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
  const message = byFastifyDetail[fastify.code ?? ''] ?? fastify.message;
  const detail = message === undefined ? {} : { detail: message };
  return new PosthornError(code, { ...detail, cause: error });
}

/** Where the message of Fastify names no field. */
const byFastifyDetail: Record<string, string> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'content-type is not one media type, like application/json',
};

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

/** The start of a field's pointer, by the location of the field. */
const contexts: Record<string, string> = {
  body: '',
  querystring: '#query',
  params: '#path',
  headers: '#header',
};

function validationError(error: Partial<FastifyError>): PosthornError {
  const root = contexts[error.validationContext ?? 'body'] ?? '';
  // The validator is Ajv, so its errors are.
  const faults = helpful((error.validation ?? []) as ErrorObject[]);
  const fields = describeErrors(faults, root);
  const [first] = fields;
  if (first === undefined) return new PosthornError('POSTHORN_REQUEST_INVALID');
  // `fields` is bounded; `detail` states the number of all faults.
  const more = faults.length > 1 ? ` (and ${faults.length - 1} more)` : '';
  const detail = `${first.pointer || 'the body'} ${first.detail}${more}`;
  return new PosthornError('POSTHORN_REQUEST_INVALID', { detail, fields });
}

/**
 * Omits errors that other errors make redundant: that a nullable field is not null, that a union
 * as a whole does not match, and the form of a text whose length is wrong.
 */
function helpful(faults: ErrorObject[]): ErrorObject[] {
  const misfits = new Set(
    faults.filter(({ keyword }) => LENGTHS.has(keyword)).map((fault) => fault.instancePath),
  );
  const rest = faults.filter(({ keyword, params, instancePath }) => {
    if (keyword === 'pattern' && misfits.has(instancePath)) return false;
    return keyword !== 'anyOf' && params['type'] !== 'null';
  });
  return rest.length > 0 ? rest : faults;
}

const LENGTHS = new Set(['minLength', 'maxLength']);

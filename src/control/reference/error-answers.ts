import { errorCatalogue, type ErrorCode, PosthornError } from '#domain/errors.ts';
import { PROBLEM_MEDIA_TYPE, problemOf } from '#wire/problem.ts';
import type { AnswerHeader } from '#wire/openapi/describe.ts';
import type { RouteSchema } from './route-schema.ts';

interface ErrorAnswer {
  /** Name in `components.responses`. */
  name: string;
  description: string;
  headers?: readonly AnswerHeader[];
  /** Whether a route can return this answer, by its parameters, body and access. */
  applies: (route: RouteSchema) => boolean;
}

const always = (): boolean => true;
const locked = (route: RouteSchema): boolean => route.security?.length !== 0;
const takesBody = (route: RouteSchema): boolean => hasBody(route);
const changes = (route: RouteSchema): boolean => route.method !== 'GET';
/** For answers that the route itself declares. */
const stated = (): boolean => false;

type ErrorStatus = (typeof errorCatalogue)[ErrorCode][0];

/** Every status of the error catalogue has an entry. */
const answers: Readonly<Record<ErrorStatus, ErrorAnswer>> = {
  400: {
    name: 'BadRequest',
    description: 'The request is malformed; `errors` names every invalid field.',
    applies: always,
  },
  401: {
    name: 'Unauthorized',
    description: 'The API key is missing, unknown, revoked or expired.',
    headers: ['www-authenticate'],
    applies: locked,
  },
  403: {
    name: 'Forbidden',
    description: 'The API key has no access to this resource, or its data is hidden.',
    applies: locked,
  },
  404: {
    name: 'NotFound',
    description: 'The tenant or resource was not found.',
    applies: (route) => route.params !== undefined,
  },
  405: {
    name: 'MethodNotAllowed',
    description:
      'The path does not support the method; the header `allow` lists the supported ones.',
    headers: ['allow'],
    // Sent for methods other than the one of the operation; OpenAPI has no other place for it.
    applies: always,
  },
  408: {
    name: 'RequestTimeout',
    description: 'The request did not arrive in time.',
    applies: always,
  },
  409: {
    name: 'Conflict',
    description: 'The request conflicts with the state of the resource; `code` says how.',
    applies: changes,
  },
  410: {
    name: 'Gone',
    description: 'The payload, the event or the plan has expired.',
    applies: stated,
  },
  412: {
    name: 'PreconditionFailed',
    description: 'The resource does not meet `if-match` or `if-none-match`.',
    applies: locked,
  },
  413: {
    name: 'ContentTooLarge',
    description: 'The body, the event or the batch is too large.',
    applies: takesBody,
  },
  414: {
    name: 'UriTooLong',
    description: 'The URL is too long.',
    applies: always,
  },
  415: {
    name: 'UnsupportedMediaType',
    description:
      'The content type or content coding is not supported; `detail` lists the supported ones.',
    headers: ['accept-encoding'],
    applies: takesBody,
  },
  417: {
    name: 'ExpectationFailed',
    description: 'The request has an `expect` other than `100-continue`.',
    applies: always,
  },
  422: {
    name: 'UnprocessableContent',
    description: 'The request is well-formed, but breaks a rule or a limit; `code` says which.',
    applies: (route) => takesBody(route) || route.querystring !== undefined,
  },
  429: {
    name: 'TooManyRequests',
    description:
      'The rate limit of the key or of the tenant is reached, or too many wrong keys came from this address. Repeat the request after `retry-after` seconds.',
    headers: ['retry-after', 'ratelimit', 'ratelimit-policy'],
    applies: locked,
  },
  431: {
    name: 'RequestHeaderFieldsTooLarge',
    description: 'The header fields of the request are too large.',
    applies: always,
  },
  500: {
    name: 'InternalServerError',
    description: 'An unexpected error. The log has its details under `request_id`.',
    applies: always,
  },
  501: {
    name: 'NotImplemented',
    description: 'The method, or the transfer coding of the body, is not supported.',
    applies: takesBody,
  },
  503: {
    name: 'ServiceUnavailable',
    description: 'The request cannot be processed now. Repeat it after `retry-after` seconds.',
    headers: ['retry-after'],
    applies: always,
  },
  505: {
    name: 'HttpVersionNotSupported',
    description: 'The request line names another version than HTTP/1.1 or HTTP/1.0.',
    applies: always,
  },
};

export const errorAnswers: Readonly<Record<number, ErrorAnswer>> = answers;

/** Returns the error statuses that a route can answer. */
export function errorStatusesOf(route: RouteSchema): number[] {
  const statuses = Object.keys(errorAnswers).map(Number);
  return statuses.filter((status) => errorAnswers[status]?.applies(route));
}

export function hasBody({ body, bodies }: RouteSchema): boolean {
  return body !== undefined || bodies !== undefined;
}

/** Builds the error answers for `components.responses`. */
export function errorComponents(schema: object): object {
  const responses = Object.entries(errorAnswers).map(([status, { name, description, headers }]) => [
    name,
    {
      description,
      headers: headerReferences(headers),
      content: problemContent(schema, Number(status)),
    },
  ]);
  return Object.fromEntries(responses) as object;
}

/** Builds the body of a problem, with the first code of the status as its example. */
export function problemContent(schema: object, status: number): object {
  const codes = Object.keys(errorCatalogue) as ErrorCode[];
  const code = codes.find((each) => errorCatalogue[each][0] === status);
  if (code === undefined) throw new Error(`no error of the catalogue has status ${status}`);
  const error = new PosthornError(code);
  const example = problemOf(error, '/v1/tenants/acme', 'req_01k3v9h2c8m4n6p8q0r2s4t6v8');
  return { [PROBLEM_MEDIA_TYPE]: { schema, example } };
}

/** Builds the headers of an answer; every answer has its correlation id. */
export function headerReferences(names: readonly AnswerHeader[] = []): object {
  const references = ['x-request-id', ...names].map((name) => [
    name,
    { $ref: `#/components/headers/${name}` },
  ]);
  return Object.fromEntries(references) as object;
}

/**
 * Problem details of an error (RFC 9457): the code of `domain/errors.ts`, the correlation id and
 * every invalid field.
 */
import { errorCatalogue, type ErrorCode, type FieldError, PosthornError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';

export const PROBLEM_MEDIA_TYPE = 'application/problem+json';

/** RFC 9457, section 3, and its extension members in snake_case. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  /** The requested path, without its query. */
  instance: string;
  code: ErrorCode;
  request_id: string;
  errors?: FieldError[];
}

/** Path of the pages of error codes, which every process with the API serves. */
export const ERROR_PAGES = '/errors/';

/**
 * The `type` of a code: permanent, and a reference to the page of the code. It is relative (RFC
 * 9457, section 3.1.1), so that it resolves at any server.
 */
export function problemType(code: ErrorCode): string {
  return `${ERROR_PAGES}${code}`;
}

/** The body of an error response. `instance`: path of the request. */
export function problemOf(error: PosthornError, instance: string, requestId: string): Problem {
  const problem: Problem = {
    type: problemType(error.code),
    title: errorCatalogue[error.code][1],
    status: error.status,
    detail: cut(error.message),
    instance,
    code: error.code,
    request_id: requestId,
  };
  if (error.fields.length > 0) {
    problem.errors = error.fields.slice(0, limits.fieldErrorsMax).map(shortened);
  }
  return problem;
}

/** Field names come from the caller, and may be as long as its body. */
function shortened({ pointer, detail }: FieldError): FieldError {
  return { pointer: cut(pointer), detail: cut(detail) };
}

function cut(text: string): string {
  const most = limits.problemTextLengthMax;
  return text.length <= most ? text : `${text.slice(0, most)}…`;
}

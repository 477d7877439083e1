/**
 * The closed catalogue of errors that callers see (IN-9). Each code has its HTTP status and a
 * title; `docs/errors.md` explains each, and a test compares the two in both directions.
 */
export const errorCatalogue = {
  POSTHORN_BODY_INVALID: [400, 'The body is not valid JSON'],
  POSTHORN_REQUEST_INVALID: [400, 'The request is not valid'],
  POSTHORN_EVENT_INVALID: [400, 'The event is not valid'],
  POSTHORN_FILTER_INVALID: [400, 'The filter is not valid'],
  POSTHORN_SCHEMA_INVALID: [400, 'The JSON Schema is not valid or not supported'],
  POSTHORN_ENDPOINT_URL_FORBIDDEN: [400, 'The URL is not allowed for an endpoint'],
  POSTHORN_CURSOR_INVALID: [400, 'The cursor is not valid for this list'],
  POSTHORN_KEY_MISSING: [401, 'An API key is required'],
  POSTHORN_KEY_INVALID: [401, 'The API key is not valid'],
  POSTHORN_KEY_SCOPE: [403, 'The API key does not allow this request'],
  POSTHORN_CSRF_INVALID: [403, 'The CSRF token is missing or wrong'],
  POSTHORN_PAYLOAD_LINK_INVALID: [403, 'The link to the payload is not valid'],
  POSTHORN_DATA_HIDDEN: [403, 'The data of this event type is not shown'],
  POSTHORN_TENANT_UNKNOWN: [404, 'The tenant was not found'],
  POSTHORN_RESOURCE_UNKNOWN: [404, 'The resource was not found'],
  POSTHORN_ROUTE_UNKNOWN: [404, 'The route was not found'],
  POSTHORN_METHOD_NOT_ALLOWED: [405, 'The route does not support this method'],
  POSTHORN_REQUEST_TIMEOUT: [408, 'The request took too long to arrive'],
  POSTHORN_EVENT_ID_REUSED: [409, 'The event id was used for different content'],
  POSTHORN_ENDPOINT_URL_DUPLICATE: [409, 'Another endpoint of the tenant has this URL'],
  POSTHORN_ENDPOINT_STATUS: [409, 'The status of the endpoint does not allow this'],
  POSTHORN_ENDPOINT_KIND: [409, 'The endpoint is of another kind'],
  POSTHORN_EVENT_TYPE_IN_USE: [409, 'The event type is in use'],
  POSTHORN_SCHEMA_INCOMPATIBLE: [409, 'The schema is not compatible with the newest version'],
  POSTHORN_DEAD_LETTER_UNREPLAYABLE: [409, 'The dead letter cannot be replayed'],
  POSTHORN_ISSUE_RESOLVED: [409, 'The issue is resolved'],
  POSTHORN_DELIVERY_NOT_WAITING: [409, 'The delivery is not waiting for an attempt'],
  POSTHORN_PLAN_NOT_READY: [409, 'The plan is still being counted'],
  POSTHORN_REPLAY_STATE: [409, 'The replay is not in a state for this'],
  POSTHORN_DELIVERY_UNREPLAYABLE: [409, 'The delivery cannot be sent again'],
  POSTHORN_KEY_ENDED: [409, 'The API key has expired, was revoked or was rotated'],
  POSTHORN_IDEMPOTENCY_KEY_BUSY: [
    409,
    'The first request with this Idempotency-Key has no answer yet',
  ],
  POSTHORN_PAYLOAD_GONE: [410, 'The payload has expired or was removed'],
  POSTHORN_PLAN_EXPIRED: [410, 'The plan has expired'],
  POSTHORN_EVENT_GONE: [410, 'The event has expired'],
  POSTHORN_IDEMPOTENT_ANSWER_GONE: [410, 'The resource of the first answer was deleted'],
  POSTHORN_PRECONDITION_FAILED: [412, 'The resource has changed since it was read'],
  POSTHORN_EVENT_TOO_LARGE: [413, 'The event is too large'],
  POSTHORN_BODY_TOO_LARGE: [413, 'The body is too large'],
  POSTHORN_BATCH_TOO_LARGE: [413, 'The batch has too many events'],
  POSTHORN_URL_TOO_LONG: [414, 'The URL is too long'],
  POSTHORN_MEDIA_TYPE_UNSUPPORTED: [415, 'The content type is not supported'],
  POSTHORN_CONTENT_CODING_UNSUPPORTED: [415, 'The content coding of the body is not supported'],
  POSTHORN_EXPECTATION_FAILED: [417, 'The expectation cannot be met'],
  POSTHORN_EVENT_TYPE_UNKNOWN: [422, 'The event type is not registered'],
  POSTHORN_EVENT_TYPE_INACTIVE: [422, 'The event type is inactive'],
  POSTHORN_EVENT_DATA_INVALID: [422, 'The data does not match the schema of the event type'],
  POSTHORN_IDEMPOTENCY_KEY_REUSED: [422, 'The Idempotency-Key was used with a different body'],
  POSTHORN_LIMIT_EXCEEDED: [422, 'A limit of the platform would be exceeded'],
  POSTHORN_SEARCH_TOO_LONG: [422, 'The search took too long'],
  POSTHORN_RATE_LIMITED: [429, 'The rate limit is reached'],
  POSTHORN_KEY_TRIES_EXCEEDED: [429, 'Too many wrong API keys came from this address'],
  POSTHORN_HEADERS_TOO_LARGE: [431, 'The header fields of the request are too large'],
  POSTHORN_UNEXPECTED: [500, 'An internal error occurred'],
  POSTHORN_TRANSFER_CODING_UNSUPPORTED: [501, 'The transfer coding is not supported'],
  POSTHORN_METHOD_UNKNOWN: [501, 'The method is not supported'],
  POSTHORN_HTTP_VERSION_UNSUPPORTED: [505, 'The HTTP version is not supported'],
  POSTHORN_PUBLISH_NOT_ACKED: [503, 'The event could not be stored in time'],
  POSTHORN_OVERLOADED: [503, 'Too many requests are in progress; try again'],
  POSTHORN_STORAGE_FULL: [503, 'The message store has no room for new events'],
  POSTHORN_DATA_NOT_CHECKED: [503, 'The data could not be checked against its schema in time'],
  POSTHORN_NATS_UNAVAILABLE: [503, 'The message store is unavailable'],
  POSTHORN_MONGODB_UNAVAILABLE: [503, 'The database is unavailable'],
  POSTHORN_WORKERS_UNAVAILABLE: [503, 'No delivery worker could send the request'],
  POSTHORN_TENANT_NOT_READY: [503, 'The tenant is not ready yet; try again'],
  POSTHORN_STOPPING: [503, 'This process is stopping'],
} as const satisfies Record<string, readonly [status: number, title: string]>;

export type ErrorCode = keyof typeof errorCatalogue;

/** A rejected field: `pointer` is a JSON pointer (RFC 6901) into the body, or `#query/<name>`. */
export interface FieldError {
  pointer: string;
  detail: string;
}

export interface PosthornErrorOptions {
  detail?: string;
  fields?: FieldError[];
  retryAfterSeconds?: number;
  cause?: unknown;
}

/** An error that callers see: a rejection or a failure of the platform. */
export class PosthornError extends Error {
  readonly code: ErrorCode;
  readonly status: number;
  readonly fields: FieldError[];
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ErrorCode, options: PosthornErrorOptions = {}) {
    const [status, title] = errorCatalogue[code];
    super(
      options.detail ?? firstFault(options.fields) ?? title,
      options.cause === undefined ? {} : { cause: options.cause },
    );
    this.name = 'PosthornError';
    this.code = code;
    this.status = status;
    this.fields = options.fields ?? [];
    this.retryAfterSeconds = options.retryAfterSeconds ?? (status === 503 ? 1 : undefined);
  }
}

/**
 * Formats the first fault as text, so that `detail` alone shows the caller the value to correct.
 */
function firstFault(fields: FieldError[] = []): string | undefined {
  const [first, ...more] = fields;
  if (first === undefined) return undefined;
  const others = more.length === 0 ? '' : ` (and ${more.length} more)`;
  return `${first.pointer === '' ? 'the body' : first.pointer} ${first.detail}${others}`;
}

/** Whether an error has a code of the catalogue. */
export function isPosthornError(error: unknown): error is PosthornError {
  return error instanceof PosthornError;
}

/** Faults in the settings; `main` prints every fault and exits with 78 (EX_CONFIG). */
export class ConfigError extends Error {
  readonly faults: string[];
  constructor(faults: string[]) {
    super(`the configuration has ${faults.length} fault(s):\n  ${faults.join('\n  ')}`);
    this.name = 'ConfigError';
    this.faults = faults;
  }
}

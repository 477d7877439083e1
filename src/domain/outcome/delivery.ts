/**
 * What became of one event owed to one endpoint. `pending` is also the status while it waits for a retry
 * (then `next_attempt_at` says when); `failed` keeps its dead letter; `held` waits for its endpoint.
 */
export const deliveryStatuses = ['pending', 'delivered', 'failed', 'held', 'cancelled'] as const;
export type DeliveryStatus = (typeof deliveryStatuses)[number];

/**
 * Why an attempt did not get a 2xx. `http_status`: an answer came, with another status. `credentials_failed`: there
 * was no access token to send with, or the receiver refused (401) one that had been kept.
 */
export const attemptFailureKinds = [
  'http_status',
  'redirect',
  'timeout',
  'dns',
  'connect',
  'tls',
  'reset',
  'bad_response',
  'forbidden_address',
  'credentials_failed',
  'unexpected',
] as const;
export type AttemptFailureKind = (typeof attemptFailureKinds)[number];

/** What an attempt came to; a value, never thrown. */
export type AttemptOutcome =
  | { ok: true; status: number }
  | {
      ok: false;
      kind: AttemptFailureKind;
      status: number | undefined;
      detail: string;
      retryAfterMs: number | undefined;
    };

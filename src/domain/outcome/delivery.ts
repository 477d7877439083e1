/**
 * The status of one event's delivery to one endpoint. `pending` includes waiting for a retry
 * (`next_attempt_at` has its time); `failed` keeps its dead letter; `held` waits for its endpoint.
 */
export const deliveryStatuses = ['pending', 'delivered', 'failed', 'held', 'cancelled'] as const;
export type DeliveryStatus = (typeof deliveryStatuses)[number];

/** The status of a dead letter that was not discarded. */
export const deadLetterStatuses = ['open', 'replayed'] as const;
export type DeadLetterStatus = (typeof deadLetterStatuses)[number];

/**
 * Why an attempt did not get a 2xx.
 *
 * - `http_status`: the answer had another status.
 * - `credentials_failed`: no access token was available, or the receiver rejected a cached one with
 *   401.
 * - `lease_expired`: a poller did not commit the delivery in time.
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
  'lease_expired',
  'unexpected',
] as const;
export type AttemptFailureKind = (typeof attemptFailureKinds)[number];

/** The outcome of an attempt; a value, never thrown. */
export type AttemptOutcome =
  | { ok: true; status: number }
  | {
      ok: false;
      kind: AttemptFailureKind;
      status: number | undefined;
      detail: string;
      retryAfterMs: number | undefined;
    };

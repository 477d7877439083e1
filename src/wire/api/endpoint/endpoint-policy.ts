/** Schemas of an endpoint's policies: retries, timeout, concurrency, rate. */
import { type Static, Type } from 'typebox';
import { onExhaustedActions, payloadModes } from '#domain/endpoint/endpoint.ts';
import { policyBounds } from '#domain/endpoint/endpoint-policy.ts';
import { named } from '#wire/openapi/describe.ts';
import { nullable, strict } from '../fields.ts';
import { rateLimit, rateLimitSettings } from './rate-limit.ts';

const retryFields = {
  delays_seconds: Type.Array(Type.Number(policyBounds.retryDelaySeconds), {
    minItems: 1,
    maxItems: policyBounds.retriesMax,
    description:
      'Seconds to wait after attempt 1, 2, and so on. No delay is shorter than the one before; together they are at most 30 days. Each delay is randomized by 10 %.',
    examples: [[1, 5, 25, 125, 625]],
  }),
  final_statuses: Type.Array(Type.Integer({ ...policyBounds.finalStatus, examples: [404] }), {
    maxItems: policyBounds.finalStatus.maximum - policyBounds.finalStatus.minimum + 1,
    uniqueItems: true,
    description: 'Response statuses after which the delivery is not retried.',
  }),
  retry_after_max_seconds: Type.Integer({
    ...policyBounds.retryAfterMaxSeconds,
    description: 'Upper bound for the `Retry-After` of a response, in seconds.',
    examples: [86400],
  }),
  max_age_seconds: Type.Integer({
    ...policyBounds.retryMaxAgeSeconds,
    description:
      'Seconds after the first attempt when the delivery becomes a dead letter: no attempt begins later, for whichever reason it was delayed.',
    examples: [259200],
  }),
};

const timeoutMs = Type.Integer({
  ...policyBounds.timeoutMs,
  description: 'Timeout of an attempt in milliseconds, up to the end of the response.',
  examples: [15000],
});

const inFlightMax = Type.Integer({
  ...policyBounds.endpointInFlight,
  description: 'Maximum number of requests in flight at the same time.',
  examples: [16],
});

const ordered = Type.Boolean({
  description:
    'True: webhooks are sent one at a time, in the order in which the events were stored.',
  examples: [false],
});

const onExhausted = named(
  'OnExhausted',
  Type.Enum(onExhaustedActions, {
    description:
      'For an ordered endpoint: the action when the first delivery in its queue has used up its attempts or got a final status. With `dead_letter` (the default), it becomes a dead letter and the next delivery is sent. With `block`, the queue is blocked until the delivery is retried or cancelled.',
  }),
);

const payload = named(
  'PayloadMode',
  Type.Enum(payloadModes, {
    description:
      'How the endpoint gets `data` larger than `POSTHORN_PAYLOAD_THRESHOLD_BYTES`: in the webhook (`inline`), or as a link that expires (`url`).',
  }),
);

const payloadInlineMaxBytes = Type.Integer({
  ...policyBounds.payloadInlineMaxBytes,
  description:
    'Large `data` of more than this number of bytes is sent as a link even if `payload` is `inline`.',
  examples: [1048576],
});

const propagateTrace = Type.Boolean({
  description:
    'True: webhooks carry `traceparent` (W3C Trace Context) if their event belongs to a trace. Default: false, because a trace reveals internals of the producer.',
  examples: [false],
});

const sequenced = Type.Boolean({
  description:
    'True: each webhook carries a number in `posthorn-sequence`, signed in `posthorn-sequence-signature`. The numbers of an endpoint have no gaps, so a receiver notices a webhook that it lacks.',
  examples: [false],
});

/** The fields as requests send them; null: the default of the platform. */
export const endpointPolicySettings = {
  retry: Type.Optional(
    nullable(
      named(
        'RetryPolicySettings',
        Type.Object(
          {
            delays_seconds: Type.Optional(retryFields.delays_seconds),
            final_statuses: Type.Optional(retryFields.final_statuses),
            retry_after_max_seconds: Type.Optional(retryFields.retry_after_max_seconds),
            max_age_seconds: Type.Optional(retryFields.max_age_seconds),
          },
          {
            ...strict,
            description:
              "Fields that are left out keep their value, or the platform's default if they were never set. Null: the platform's default for all fields.",
          },
        ),
      ),
    ),
  ),
  timeout_ms: Type.Optional(nullable(timeoutMs)),
  in_flight_max: Type.Optional(nullable(inFlightMax)),
  rate_limit: Type.Optional(nullable(rateLimitSettings)),
  ordered: Type.Optional(ordered),
  on_exhausted: Type.Optional(onExhausted),
  payload: Type.Optional(payload),
  payload_inline_max_bytes: Type.Optional(nullable(payloadInlineMaxBytes)),
  propagate_trace: Type.Optional(propagateTrace),
  sequenced: Type.Optional(sequenced),
};

const settings = Type.Object(endpointPolicySettings);
export type EndpointPolicySettings = Static<typeof settings>;

/** The fields as answers show them; null: the default of the platform. */
export const endpointPolicyFields = {
  retry: nullable(
    named(
      'RetryPolicy',
      Type.Object(retryFields, { description: 'When failed attempts are retried.' }),
    ),
  ),
  timeout_ms: nullable(timeoutMs),
  in_flight_max: nullable(inFlightMax),
  rate_limit: nullable(rateLimit),
  ordered,
  on_exhausted: onExhausted,
  payload,
  payload_inline_max_bytes: nullable(payloadInlineMaxBytes),
  propagate_trace: propagateTrace,
  sequenced,
};

const fields = Type.Object(endpointPolicyFields);
export type EndpointPolicyFields = Static<typeof fields>;

/** Policies of an endpoint in the API: retries, time limit, requests at once, rate. */
import { type Static, Type } from 'typebox';
import { onExhaustedActions, payloadModes } from '#domain/endpoint/endpoint.ts';
import { policyBounds } from '#domain/endpoint/endpoint-policy.ts';
import { named } from '#wire/openapi/describe.ts';
import { nullable, strict } from '../fields.ts';

const retryFields = {
  delays_seconds: Type.Array(Type.Number(policyBounds.retryDelaySeconds), {
    minItems: 1,
    maxItems: policyBounds.retriesMax,
    description:
      'Seconds to wait after attempt 1, 2, …, none shorter than the one before, 30 days in all at most. Each is spread by 10 %.',
    examples: [[1, 5, 25, 125, 625]],
  }),
  final_statuses: Type.Array(Type.Integer({ ...policyBounds.finalStatus, examples: [404] }), {
    maxItems: policyBounds.finalStatus.maximum - policyBounds.finalStatus.minimum + 1,
    uniqueItems: true,
    description: 'Answers after which there is no further attempt.',
  }),
  retry_after_max_seconds: Type.Integer({
    ...policyBounds.retryAfterMaxSeconds,
    description: 'The longest `Retry-After` that is obeyed.',
    examples: [86400],
  }),
  max_age_seconds: Type.Integer({
    ...policyBounds.retryMaxAgeSeconds,
    description:
      'No attempt begins later than this after the first one, whatever put it off; then the delivery becomes a dead letter.',
    examples: [259200],
  }),
};

const rateFields = {
  per_second: Type.Number({
    ...policyBounds.ratePerSecond,
    description: 'Requests a second.',
    examples: [10],
  }),
  burst: Type.Integer({
    ...policyBounds.rateBurst,
    description:
      'How many may leave at once after a rest. Absent: as it was set, else a tenth of `per_second`.',
    examples: [5],
  }),
};

const timeoutMs = Type.Integer({
  ...policyBounds.timeoutMs,
  description: 'How long an attempt may take, until the answer has arrived whole.',
  examples: [15000],
});

const inFlightMax = Type.Integer({
  ...policyBounds.endpointInFlight,
  description: 'How many requests may run at once.',
  examples: [16],
});

const ordered = Type.Boolean({
  description:
    'One request in flight, and none overtakes: in the order in which the events were stored.',
  examples: [false],
});

const onExhausted = named(
  'OnExhausted',
  Type.Enum(onExhaustedActions, {
    description:
      'Of an ordered endpoint, where its first delivery used up its attempts or got a final status: it becomes a dead letter and the next one goes (the default), or it blocks those behind it until it is retried or cancelled.',
  }),
);

const payload = named(
  'PayloadMode',
  Type.Enum(payloadModes, {
    description:
      'How `data` gets here that is over `POSTHORN_PAYLOAD_THRESHOLD_BYTES`: in the webhook, or as a link that expires.',
  }),
);

const payloadInlineMaxBytes = Type.Integer({
  ...policyBounds.payloadInlineMaxBytes,
  description: 'Such `data` of more bytes comes as a link, although `payload` is `inline`.',
  examples: [1048576],
});

const propagateTrace = Type.Boolean({
  description:
    'Webhooks carry `traceparent` (W3C Trace Context) where the event belongs to a trace. False unless set: a trace tells of the inside.',
  examples: [false],
});

/** As a request gives them; null: as the platform has it. */
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
              'What is left out in it stays as it is, and is as the platform has it where nothing was set. Null: all as the platform has it.',
          },
        ),
      ),
    ),
  ),
  timeout_ms: Type.Optional(nullable(timeoutMs)),
  in_flight_max: Type.Optional(nullable(inFlightMax)),
  rate_limit: Type.Optional(
    nullable(
      named(
        'RateLimitSettings',
        Type.Object(
          { per_second: rateFields.per_second, burst: Type.Optional(rateFields.burst) },
          strict,
        ),
        { description: 'How fast requests are sent; a token bucket.' },
      ),
    ),
  ),
  ordered: Type.Optional(ordered),
  on_exhausted: Type.Optional(onExhausted),
  payload: Type.Optional(payload),
  payload_inline_max_bytes: Type.Optional(nullable(payloadInlineMaxBytes)),
  propagate_trace: Type.Optional(propagateTrace),
};

const settings = Type.Object(endpointPolicySettings);
export type EndpointPolicySettings = Static<typeof settings>;

/** As an answer shows them; null: as the platform has it. */
export const endpointPolicyFields = {
  retry: nullable(
    named(
      'RetryPolicy',
      Type.Object(retryFields, { description: 'When a failure is tried again.' }),
    ),
  ),
  timeout_ms: nullable(timeoutMs),
  in_flight_max: nullable(inFlightMax),
  rate_limit: nullable(
    named(
      'RateLimit',
      Type.Object(rateFields, { description: 'How fast requests are sent; a token bucket.' }),
    ),
  ),
  ordered,
  on_exhausted: onExhausted,
  payload,
  payload_inline_max_bytes: nullable(payloadInlineMaxBytes),
  propagate_trace: propagateTrace,
};

const fields = Type.Object(endpointPolicyFields);
export type EndpointPolicyFields = Static<typeof fields>;

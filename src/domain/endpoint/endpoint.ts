/** Format of a webhook's body (DL-4). `standard` is the envelope of Standard Webhooks. */
export const bodyFormats = [
  'standard',
  'cloudevents-structured',
  'cloudevents-binary',
  'data',
] as const;
export type BodyFormat = (typeof bodyFormats)[number];

/** How the endpoint receives the `data` of a large event (IN-12). */
export const payloadModes = ['inline', 'url'] as const;
export type PayloadMode = (typeof payloadModes)[number];

export const endpointStatuses = ['active', 'paused', 'disabled'] as const;
export type EndpointStatus = (typeof endpointStatuses)[number];

/**
 * Why an endpoint is not active, for machines. `gone`: it answered 410. `unverified`: its receiver
 * has not agreed yet.
 */
export const endpointStatusReasons = ['operator', 'gone', 'failing', 'unverified'] as const;
export type EndpointStatusReason = (typeof endpointStatusReasons)[number];

/**
 * How a receiver agrees to get webhooks. `ping`: it answers a signed webhook with 2xx.
 * `cloudevents`: the handshake of CloudEvents webhooks.
 */
export const verificationMethods = ['ping', 'cloudevents'] as const;
export type VerificationMethod = (typeof verificationMethods)[number];

/** On exhausted attempts, an ordered endpoint dead-letters the delivery or blocks (DL-16). */
export const onExhaustedActions = ['dead_letter', 'block'] as const;
export type OnExhausted = (typeof onExhaustedActions)[number];

export const subscriptionStatuses = ['pending', 'approved', 'cancelled'] as const;
export type SubscriptionStatus = (typeof subscriptionStatuses)[number];

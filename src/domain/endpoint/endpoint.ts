/** How the webhook's body looks (DL-4). `standard` is the envelope of Standard Webhooks. */
export const bodyFormats = [
  'standard',
  'cloudevents-structured',
  'cloudevents-binary',
  'data',
] as const;
export type BodyFormat = (typeof bodyFormats)[number];

/** How the `data` of a large event gets to the endpoint (IN-12). */
export const payloadModes = ['inline', 'url'] as const;
export type PayloadMode = (typeof payloadModes)[number];

export const endpointStates = ['active', 'paused', 'disabled'] as const;
export type EndpointState = (typeof endpointStates)[number];

/** Why an endpoint is not active, for machines. `gone`: it answered 410. */
export const endpointStateReasons = ['operator', 'gone', 'failing'] as const;
export type EndpointStateReason = (typeof endpointStateReasons)[number];

/** What an ordered endpoint does with a delivery that used up its attempts (DL-16): it goes, or the queue stops. */
export const onExhaustedActions = ['dead_letter', 'block'] as const;
export type OnExhausted = (typeof onExhaustedActions)[number];

export const subscriptionStatuses = ['PENDING', 'APPROVED', 'CANCELLED'] as const;
export type SubscriptionStatus = (typeof subscriptionStatuses)[number];

/** How the webhook's body looks (DL-4). `standard` is the envelope of Standard Webhooks. */
export const bodyFormats = [
  'standard',
  'cloudevents-structured',
  'cloudevents-binary',
  'data',
] as const;
export type BodyFormat = (typeof bodyFormats)[number];

export const endpointStates = ['active', 'paused', 'disabled'] as const;
export type EndpointState = (typeof endpointStates)[number];

/** Why an endpoint is not active, for machines. `gone`: it answered 410. */
export const endpointStateReasons = ['operator', 'gone', 'failing'] as const;
export type EndpointStateReason = (typeof endpointStateReasons)[number];

export const subscriptionStatuses = ['PENDING', 'APPROVED', 'CANCELLED'] as const;
export type SubscriptionStatus = (typeof subscriptionStatuses)[number];

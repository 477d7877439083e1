import { Type } from 'typebox';
import { limits } from '#domain/limits.ts';
import { integer, optionalText } from '../setting.ts';

/** Limits of events, and how they are stored. */
export const eventSettings = {
  POSTHORN_EVENT_BYTES_MAX: integer({
    default: 4 * 1024 * 1024,
    minimum: 1024,
    maximum: limits.eventBytesMax,
    description: 'Largest single event; a batch may have 4 MiB in total.',
  }),
  POSTHORN_NOTIFICATIONS_TENANT_POINTER: optionalText({
    pattern: '^(/([^~/]|~[01])+)+$',
    maxLength: 256,
    description:
      'JSON pointer to the tenant id in events that are sent to `POST /notifications`, for example /data/customer_id. Absent: there is no such route.',
  }),
  POSTHORN_NOTIFICATIONS_BASIC_AUTH: Type.Union([Type.Literal('off'), Type.Literal('on')], {
    default: 'off',
    description:
      'With `on`, `POST /notifications` also accepts basic authentication, with an API key as the password and any user name.',
  }),
  POSTHORN_PAYLOAD_THRESHOLD_BYTES: integer({
    default: 256 * 1024,
    minimum: 1024,
    maximum: 4 * 1024 * 1024,
    description:
      'The `data` of larger events is kept in the object store. At least 64 KiB below the `max_payload` of NATS.',
  }),
  POSTHORN_PAYLOAD_MEMORY_BYTES_MAX: integer({
    default: 128 * 1024 * 1024,
    minimum: 16 * 1024 * 1024,
    maximum: 16 * 1024 * 1024 * 1024,
    description:
      'Bytes of large payloads that each role of a process may hold in memory at the same time. Beyond that, a payload waits or its request is answered 503.',
  }),
  POSTHORN_PAYLOAD_LINK_SECONDS: integer({
    default: 3600,
    minimum: 60,
    maximum: 7 * 24 * 3600,
    description: 'How long the link to a large payload in a webhook is valid.',
  }),
  POSTHORN_PUBLIC_URL: optionalText({
    pattern: '^https?://[^/?#\\s]+$',
    description:
      'URL at which receivers reach the API, for example https://posthorn.example.com. Links to payloads begin with it. Absent: endpoints cannot request links. `posthorn start` uses its own address.',
  }),
  POSTHORN_EVENT_TYPE_POLICY: Type.Union([Type.Literal('auto'), Type.Literal('strict')], {
    default: 'auto',
    description:
      '`auto`: unregistered event types are accepted; `strict`: they are refused. A tenant can override it.',
  }),
  POSTHORN_PUBLISH_TIMEOUT_MS: integer({
    default: 5000,
    minimum: 100,
    maximum: 60_000,
    description: 'How long ingress tries to store an event before it answers 503.',
  }),
  POSTHORN_PUBLISH_WINDOW: integer({
    default: 1024,
    minimum: 1,
    maximum: 65_536,
    description:
      'Publishes that a process may have in flight; one tenant may use four fifths of them. Beyond that, ingress answers 503.',
  }),
};

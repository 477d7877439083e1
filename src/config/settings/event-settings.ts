import { Type } from 'typebox';
import { limits } from '#domain/limits.ts';
import { integer, optionalText } from '../setting.ts';

/** What events may be, and how they are stored. */
export const eventSettings = {
  POSTHORN_EVENT_BYTES_MAX: integer({
    default: 4 * 1024 * 1024,
    minimum: 1024,
    maximum: limits.eventBytesMax,
    description: 'Largest event that is sent by itself; a batch has 4 MiB in all.',
  }),
  POSTHORN_PAYLOAD_THRESHOLD_BYTES: integer({
    default: 256 * 1024,
    minimum: 1024,
    maximum: 4 * 1024 * 1024,
    description:
      'Larger events keep their `data` in the object store. Never more than 64 KiB below the `max_payload` of NATS.',
  }),
  POSTHORN_PAYLOAD_MEMORY_BYTES_MAX: integer({
    default: 128 * 1024 * 1024,
    minimum: 16 * 1024 * 1024,
    maximum: 16 * 1024 * 1024 * 1024,
    description:
      'Bytes of large payloads that each role of a process may work on at once; what finds no room waits or is answered 503.',
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
      'Where receivers reach the API, like https://posthorn.example.com: the beginning of links to payloads. Absent: no endpoint can ask for links. `posthorn start` takes its own address.',
  }),
  POSTHORN_EVENT_TYPE_POLICY: Type.Union([Type.Literal('auto'), Type.Literal('strict')], {
    default: 'auto',
    description:
      '`auto`: an event type that is not registered is accepted; `strict`: it is refused. A tenant can differ.',
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
      'Publishes that a process may have under way, one tenant four fifths of them; over it, ingress answers 503.',
  }),
};

import { limits } from '#domain/limits.ts';
import { type Static, type TNumberOptions, type TStringOptions, Type } from 'typebox';
import { FAN_OUT_DELAYS_PATTERN } from '#domain/fan-out-delay.ts';

/**
 * Every setting: its environment variable, type, default, unit (last in its name) and meaning. The
 * reference `docs/configuration.md` is written from this and checked against it.
 */
export const planes = ['ingress', 'router', 'delivery', 'control'] as const;
/** The planes, and who watches them from outside. */
export const roles = [...planes, 'probe'] as const;
export type Role = (typeof roles)[number];

/** What stands beside a setting's type. `secret`: may come from a file, is never printed. */
export type SettingOptions = {
  description: string;
  secret?: boolean;
  default?: string | number;
  pattern?: string;
  minLength?: number;
  minimum?: number;
  maximum?: number;
};

type Described = { description: string };
const text = (options: TStringOptions & Described) => Type.String(options);
const optionalText = (options: TStringOptions & Described & { secret?: boolean }) =>
  Type.Optional(Type.String(options));
const integer = (
  options: TNumberOptions & Described & { default: number; minimum: number; maximum: number },
) => Type.Integer(options);

export const settingsSchema = Type.Object(
  {
    POSTHORN_ROLES: text({
      default: planes.join(','),
      pattern: `^(${roles.join('|')})(,(${roles.join('|')}))*$`,
      description:
        'The roles of this process, separated by commas; `--roles` on the command line wins.',
    }),
    POSTHORN_DATA_DIR: text({
      default: '.posthorn',
      minLength: 1,
      description:
        'Folder of `posthorn start`: the data of the embedded servers, the keys made at the first start.',
    }),
    POSTHORN_CACHE_DIR: optionalText({
      minLength: 1,
      description:
        "Folder where fetched server binaries are kept (default: `posthorn` in the user's cache folder).",
    }),
    POSTHORN_NATS_URL: optionalText({
      pattern: '^(nats|tls|wss?)://',
      description:
        'NATS servers, separated by commas. `posthorn start` embeds one where this is absent.',
    }),
    POSTHORN_NATS_PORT: integer({
      default: 0,
      minimum: 0,
      maximum: 65535,
      description:
        'Port of the embedded nats-server on 127.0.0.1, where producers on this machine reach it. 0: any free one.',
    }),
    POSTHORN_NATS_USER: optionalText({
      minLength: 1,
      description: 'User that the platform connects to NATS as. Absent: none.',
    }),
    POSTHORN_NATS_PASSWORD: optionalText({
      secret: true,
      minLength: 1,
      description: 'Password of that user.',
    }),
    POSTHORN_NATS_AUTH_SEED: optionalText({
      secret: true,
      pattern: '^SA[A-Z2-7]{56}$',
      description:
        'Seed of the account key that NATS has as the issuer of its auth callout: ingress then lets producers in with their API keys. `posthorn start` makes one for its own NATS.',
    }),
    POSTHORN_NATS_AUTH_ACCOUNT: text({
      default: '$G',
      minLength: 1,
      description:
        'Account of NATS that producers are placed in: the one that the platform connects to.',
    }),
    POSTHORN_MONGODB_URL: optionalText({
      secret: true,
      pattern: '^mongodb(\\+srv)?://',
      description: 'MongoDB, a replica set. `posthorn start` embeds one where this is absent.',
    }),
    POSTHORN_MONGODB_DATABASE: text({
      default: 'posthorn',
      pattern: '^[a-zA-Z0-9_-]{1,63}$',
      description: 'Name of the database.',
    }),
    POSTHORN_HTTP_HOST: text({
      default: '0.0.0.0',
      description: 'Address that the API listens on.',
    }),
    POSTHORN_HTTP_PORT: integer({
      default: 8080,
      minimum: 0,
      maximum: 65535,
      description: 'Port of the API (ingress and control). 0: any free one.',
    }),
    POSTHORN_OPS_HOST: text({
      default: '127.0.0.1',
      description: 'Address of the private port with `/livez`, `/readyz` and `/metrics`.',
    }),
    POSTHORN_OPS_PORT: integer({
      default: 9090,
      minimum: 0,
      maximum: 65535,
      description:
        'Private port; the further processes of `posthorn start` count up from it. 0: any free one.',
    }),
    POSTHORN_RECEIVER_PORT: integer({
      default: 8081,
      minimum: 0,
      maximum: 65535,
      description: 'Port of the demo receiver of `posthorn start`.',
    }),
    POSTHORN_BOOTSTRAP_KEY: optionalText({
      secret: true,
      minLength: 16,
      description:
        'A platform key that is accepted from the start. `posthorn start` makes and prints one where this is absent.',
    }),
    POSTHORN_MASTER_KEY: optionalText({
      secret: true,
      pattern: '^[A-Za-z0-9+/]{43}=$',
      description:
        '32 bytes in base64: seals endpoint secrets (AES-256-GCM). `posthorn start` makes one where this is absent.',
    }),
    POSTHORN_MASTER_KEYS_OTHER: optionalText({
      secret: true,
      pattern: '^[A-Za-z0-9+/]{43}=(,[A-Za-z0-9+/]{43}=){0,7}$',
      description:
        'Up to 8 further master keys, separated by commas, that open and never seal: while the master key is changed (docs/operations/secrets.md).',
    }),
    POSTHORN_SHARDS: integer({
      default: 4,
      minimum: 1,
      maximum: 64,
      description:
        'Shard streams. The same for all processes; to change it, see docs/operations/shards.md. `posthorn start` with its own NATS takes 1 where this is absent.',
    }),
    POSTHORN_STREAM_REPLICAS: integer({
      default: 1,
      minimum: 1,
      maximum: 5,
      description: 'Replicas of every stream: 1 embedded, 3 in production.',
    }),
    POSTHORN_EVENT_RETENTION_SECONDS: integer({
      default: 7 * 24 * 3600,
      minimum: 3600,
      maximum: 365 * 24 * 3600,
      description: 'How long events stay in JetStream: the window of replays from the stream.',
    }),
    POSTHORN_HISTORY_RETENTION_SECONDS: integer({
      default: 30 * 24 * 3600,
      minimum: 72 * 3600,
      maximum: 3650 * 24 * 3600,
      description:
        'How long events, deliveries and attempts stay in MongoDB; the window of idempotency too.',
    }),
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
        '`auto`: an unknown event type is accepted and registered; `strict`: it is refused. A tenant can differ.',
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
      description: 'Publishes that a process may have under way; over it, ingress answers 503.',
    }),
    POSTHORN_HTTP_READ_TIMEOUT_MS: integer({
      default: 15_000,
      minimum: 100,
      maximum: 300_000,
      description: 'How long a request may take to arrive.',
    }),
    POSTHORN_HTTP_IDLE_TIMEOUT_MS: integer({
      default: 72_000,
      minimum: 1000,
      maximum: 600_000,
      description:
        'How long an idle connection is kept; longer than that of the load balancer in front.',
    }),
    POSTHORN_HTTP_WRITE_TIMEOUT_MS: integer({
      default: 30_000,
      minimum: 1000,
      maximum: 600_000,
      description: 'How long a connection may make no progress while a request is answered.',
    }),
    POSTHORN_SHUTDOWN_DEADLINE_MS: integer({
      default: 10_000,
      minimum: 100,
      maximum: 300_000,
      description: 'How long a stopping process may take to finish what is in flight.',
    }),
    POSTHORN_DELIVERY_TIMEOUT_MS: integer({
      default: 15_000,
      minimum: 100,
      maximum: 60_000,
      description: 'How long an attempt may take, from the dial to the last byte of the answer.',
    }),
    POSTHORN_ENDPOINT_IN_FLIGHT_MAX: integer({
      default: 64,
      minimum: 1,
      maximum: 1024,
      description: 'Attempts that one endpoint may have in flight in one worker.',
    }),
    POSTHORN_WORKER_IN_FLIGHT_MAX: integer({
      default: 1024,
      minimum: 1,
      maximum: 65_536,
      description: 'Attempts that one worker may have in flight.',
    }),
    POSTHORN_FANOUT_DELAYS_SECONDS: text({
      default: '100000:30,50000:15,10000:5',
      pattern: FAN_OUT_DELAYS_PATTERN,
      description:
        'How long an event waits before its deliveries begin, by the number of its endpoints: `<over>:<seconds>`, separated by commas. Empty: no event waits.',
    }),
    POSTHORN_BROADCAST_ENDPOINTS_PER_SECOND: integer({
      default: 250,
      minimum: 1,
      maximum: 100_000,
      description:
        'Pace of broadcast events: they stay behind what is sent to single tenants. A worker keeps a tenant in memory for a minute, about 40 KB each.',
    }),
    POSTHORN_ENDPOINT_DISABLE_AFTER_SECONDS: integer({
      default: 5 * 24 * 3600,
      minimum: 60,
      maximum: 365 * 24 * 3600,
      description:
        'An endpoint whose attempts only failed for so long is disabled. An endpoint can differ.',
    }),
    POSTHORN_OPERATOR_TENANT: optionalText({
      pattern: '^[a-zA-Z0-9][a-zA-Z0-9_-]{0,63}$',
      description:
        'Tenant of the operator: gets the operational events (`posthorn.*`) of every tenant. Absent: nobody does.',
    }),
    POSTHORN_PROBE_INTERVAL_MS: integer({
      default: 10_000,
      minimum: 0,
      maximum: 300_000,
      description:
        'How often the synthetic probe (role `probe`) sends an event through each shard. 0: never; `posthorn start` then runs without it.',
    }),
    POSTHORN_PROBE_NAME: text({
      default: 'main',
      pattern: '^[a-z0-9][a-z0-9-]{0,31}$',
      description:
        'Name of the probe, in the ids of its tenants. Of several processes with the role each needs its own.',
    }),
    POSTHORN_PROBE_KEY: optionalText({
      secret: true,
      minLength: 16,
      description:
        'Platform key that the probe makes its tenants and publishes with. Absent: `POSTHORN_BOOTSTRAP_KEY`.',
    }),
    POSTHORN_PROBE_INGRESS_URL: optionalText({
      pattern: '^https?://[^/?#\\s]+$',
      description:
        'Where the probe publishes, as producers do: base URL of ingress. The role `probe` needs it; `posthorn start` takes its own address.',
    }),
    POSTHORN_PROBE_CONTROL_URL: optionalText({
      pattern: '^https?://[^/?#\\s]+$',
      description:
        'Where the probe makes its tenants: base URL of control. Absent: that of ingress.',
    }),
    POSTHORN_PROBE_RECEIVER_URL: optionalText({
      pattern: '^http://[^/?#\\s@]+:[0-9]+$',
      description:
        'Where delivery reaches the receiver of the probe, like http://posthorn-probe:8082: the probe listens on that port. The same for control and delivery, which let the tenants of the probe, and nobody else, send there.',
    }),
    POSTHORN_EGRESS_ALLOW: text({
      default: '',
      description:
        'Networks (CIDR, separated by commas) that delivery may reach although they are private. An address in them may be http.',
    }),
    POSTHORN_OTLP_ENDPOINT: optionalText({
      pattern: '^https?://',
      description:
        'Base URL of an OpenTelemetry collector (OTLP over HTTP; `/v1/traces` is added). Absent: `OTEL_EXPORTER_OTLP_ENDPOINT`; without both there is no tracing.',
    }),
    POSTHORN_TRACE_SAMPLE_PERCENT: integer({
      default: 1,
      minimum: 0,
      maximum: 100,
      description:
        'How many of the requests that come without a trace begin one. A producer that sends `traceparent` decides for itself.',
    }),
    POSTHORN_SENTRY_DSN: optionalText({
      secret: true,
      pattern: '^https?://[^:@/?#]+@[^@/?#]+/([^?#]+/)?[0-9]+$',
      description:
        "Where unexpected errors are reported: the DSN of a project in Sentry, or in a service that takes Sentry's envelopes. Absent: nowhere.",
    }),
    POSTHORN_SENTRY_ENVIRONMENT: text({
      default: 'production',
      pattern: '^[a-zA-Z0-9._-]{1,64}$',
      description: 'Environment that these reports name.',
    }),
    POSTHORN_LOG_LEVEL: Type.Union(
      [
        Type.Literal('fatal'),
        Type.Literal('error'),
        Type.Literal('warn'),
        Type.Literal('info'),
        Type.Literal('debug'),
        Type.Literal('silent'),
      ],
      { default: 'info', description: 'The least severe log line that is written.' },
    ),
  },
  { additionalProperties: false },
);

export type Settings = Static<typeof settingsSchema>;

/**
 * The settings as the parts of the program read them: a section for each plane and for each shared
 * part, in its own words. This file alone maps the names of environment variables to them.
 */
import { type FanOutDelay, parseFanOutDelays } from '#domain/event/fan-out-delay.ts';
import type { Environment, Role } from './schema.ts';

/** The address of a port that a process listens on. */
export interface ListenSettings {
  host: string;
  /** 0: a free one. */
  port: number;
}

/** How the public port treats its connections. */
export interface HttpSettings {
  /** Networks (CIDR) of proxies, separated by commas. Absent: none. */
  trustedProxies?: string;
  readTimeoutMs: number;
  idleTimeoutMs: number;
  writeTimeoutMs: number;
}

/** The certificate of the HTTP servers. */
export interface CertificateSettings {
  certificatePath: string;
  keyPath: string;
}

export interface NatsSettings {
  url: string | undefined;
  /** How the platform logs in; files by their paths. */
  login: {
    user: string | undefined;
    password: string | undefined;
    credentialsPath: string | undefined;
    nkeyPath: string | undefined;
    caPath: string | undefined;
    certificatePath: string | undefined;
    keyPath: string | undefined;
  };
}

export interface MongodbSettings {
  url: string | undefined;
  /** The authorities that sign the certificates of its servers, as PEM. */
  caPath: string | undefined;
  database: string;
  historyRetentionSeconds: number;
}

/** The streams, their consumers and the buckets. */
export interface StreamSettings {
  shards: number;
  replicas: number;
  /** Bytes that JetStream may store on each broker; undefined: unknown. */
  bytesMax: number | undefined;
  eventRetentionSeconds: number;
  /** The ack wait of deliveries is longer than an attempt. */
  deliveryTimeoutMs: number;
}

/** Keys of the installation. */
export interface KeySettings {
  bootstrap: string | undefined;
  master: string | undefined;
  /** Keys that open secrets but never seal. */
  otherMasters: readonly string[];
  /** Wrong keys of one address that a process accepts in a minute. */
  wrongPerMinute: number;
}

/** The door `POST /notifications`. */
export interface NotificationSettings {
  /** JSON pointer to the tenant id in the body. */
  tenantPointer: string;
  /** Basic authentication is accepted too. */
  basicAuth: boolean;
}

export interface IngressSettings {
  shards: number;
  eventBytesMax: number;
  eventTypePolicy: Environment['POSTHORN_EVENT_TYPE_POLICY'];
  publishTimeoutMs: number;
  /** Unacked publications that one process may have in flight. */
  publishWindow: number;
  payloadThresholdBytes: number;
  payloadMemoryBytesMax: number;
  /** Seed of the key that signs the logins of producers over NATS. Undefined: none may log in. */
  natsAuthSeed: string | undefined;
  natsAuthAccount: string;
  /** Undefined: there is no door for notifications. */
  notifications: NotificationSettings | undefined;
}

export interface RouterSettings {
  shards: number;
  fanOutDelays: readonly FanOutDelay[];
  broadcastEndpointsPerSecond: number;
  shutdownDeadlineMs: number;
}

/** Which addresses webhooks may be sent to. */
export interface EgressSettings {
  /** Private networks (CIDR), separated by commas. */
  allow: string;
  /** The receiver of the synthetic probe, which only its tenants may send to. */
  probeReceiverUrl: string | undefined;
}

export interface DeliverySettings {
  shards: number;
  timeoutMs: number;
  inFlightMax: number;
  endpointInFlightMax: number;
  /**
   * Control name: looked up to distinguish a fault of the name servers from a fault of one name.
   */
  resolverControlName: string;
  egress: EgressSettings;
  publicUrl: string | undefined;
  payloadLinkMs: number;
  payloadMemoryBytesMax: number;
  eventRetentionMs: number;
  shutdownDeadlineMs: number;
}

export interface ControlSettings {
  shards: number;
  egress: EgressSettings;
  publicUrl: string | undefined;
  /** Longest sample event of a filter. */
  eventBytesMax: number;
  /** For sample events, as ingress applies it to published ones. */
  eventTypePolicy: Environment['POSTHORN_EVENT_TYPE_POLICY'];
  payloadMemoryBytesMax: number;
  endpointDisableAfterSeconds: number;
  historyRetentionSeconds: number;
  /** The tenant that receives the operational events of all tenants. */
  operatorTenant: string | undefined;
}

/** The synthetic probe. Its URLs and its key are required only if a process has the role. */
export interface ProbeSettings {
  shards: number;
  name: string;
  /** 0: never. */
  intervalMs: number;
  key: string | undefined;
  ingressUrl: string | undefined;
  controlUrl: string | undefined;
  /** The authorities that sign the certificates of ingress and control, as PEM. */
  caPath: string | undefined;
  receiverUrl: string | undefined;
}

export interface TracingSettings {
  endpoint: string | undefined;
  /** `<name>=<value>`, separated by commas. */
  headers: string | undefined;
  samplePercent: number;
}

export interface ErrorReportSettings {
  dsn: string | undefined;
  environment: string;
}

/** What only `posthorn start` uses: the embedded servers and the demo. */
export interface StartSettings {
  dataDir: string;
  cacheDir: string | undefined;
  /** Port of the embedded NATS; 0: a free one. */
  natsPort: number;
  receiverPort: number;
}

export interface Settings {
  roles: readonly Role[];
  publishWindow: number;
  shutdownDeadlineMs: number;
  logLevel: Environment['POSTHORN_LOG_LEVEL'];
  /** Commit that the process was built from. */
  revision: string;
  api: ListenSettings;
  ops: ListenSettings;
  http: HttpSettings;
  /** Undefined: plain HTTP. */
  certificate: CertificateSettings | undefined;
  nats: NatsSettings;
  mongodb: MongodbSettings;
  streams: StreamSettings;
  keys: KeySettings;
  ingress: IngressSettings;
  router: RouterSettings;
  delivery: DeliverySettings;
  control: ControlSettings;
  probe: ProbeSettings;
  tracing: TracingSettings;
  errorReports: ErrorReportSettings;
  start: StartSettings;
}

function notificationSettings(env: Environment): NotificationSettings | undefined {
  const tenantPointer = env.POSTHORN_NOTIFICATIONS_TENANT_POINTER;
  if (tenantPointer === undefined) return undefined;
  return { tenantPointer, basicAuth: env.POSTHORN_NOTIFICATIONS_BASIC_AUTH === 'on' };
}

/** Maps the checked variables to the sections. */
export function toSections(env: Environment): Settings {
  const shards = env.POSTHORN_SHARDS;
  const egress = {
    allow: env.POSTHORN_EGRESS_ALLOW,
    probeReceiverUrl: env.POSTHORN_PROBE_RECEIVER_URL,
  };
  return {
    roles: parseRoles(env.POSTHORN_ROLES),
    publishWindow: env.POSTHORN_PUBLISH_WINDOW,
    shutdownDeadlineMs: env.POSTHORN_SHUTDOWN_DEADLINE_MS,
    logLevel: env.POSTHORN_LOG_LEVEL,
    revision: env.POSTHORN_REVISION,
    api: { host: env.POSTHORN_HTTP_HOST, port: env.POSTHORN_HTTP_PORT },
    ops: { host: env.POSTHORN_OPS_HOST, port: env.POSTHORN_OPS_PORT },
    http: {
      trustedProxies: env.POSTHORN_HTTP_TRUSTED_PROXIES,
      readTimeoutMs: env.POSTHORN_HTTP_READ_TIMEOUT_MS,
      idleTimeoutMs: env.POSTHORN_HTTP_IDLE_TIMEOUT_MS,
      writeTimeoutMs: env.POSTHORN_HTTP_WRITE_TIMEOUT_MS,
    },
    certificate: certificateOf(env),
    ...serverSections(env),
    ingress: {
      shards,
      eventBytesMax: env.POSTHORN_EVENT_BYTES_MAX,
      eventTypePolicy: env.POSTHORN_EVENT_TYPE_POLICY,
      publishTimeoutMs: env.POSTHORN_PUBLISH_TIMEOUT_MS,
      publishWindow: env.POSTHORN_PUBLISH_WINDOW,
      payloadThresholdBytes: env.POSTHORN_PAYLOAD_THRESHOLD_BYTES,
      payloadMemoryBytesMax: env.POSTHORN_PAYLOAD_MEMORY_BYTES_MAX,
      natsAuthSeed: env.POSTHORN_NATS_AUTH_SEED,
      natsAuthAccount: env.POSTHORN_NATS_AUTH_ACCOUNT,
      notifications: notificationSettings(env),
    },
    router: {
      shards,
      fanOutDelays: parseFanOutDelays(env.POSTHORN_FANOUT_DELAYS_SECONDS),
      broadcastEndpointsPerSecond: env.POSTHORN_BROADCAST_ENDPOINTS_PER_SECOND,
      shutdownDeadlineMs: env.POSTHORN_SHUTDOWN_DEADLINE_MS,
    },
    delivery: {
      shards,
      timeoutMs: env.POSTHORN_DELIVERY_TIMEOUT_MS,
      inFlightMax: env.POSTHORN_WORKER_IN_FLIGHT_MAX,
      endpointInFlightMax: env.POSTHORN_ENDPOINT_IN_FLIGHT_MAX,
      resolverControlName: env.POSTHORN_RESOLVER_CONTROL_NAME,
      egress,
      publicUrl: env.POSTHORN_PUBLIC_URL,
      payloadLinkMs: env.POSTHORN_PAYLOAD_LINK_SECONDS * 1000,
      payloadMemoryBytesMax: env.POSTHORN_PAYLOAD_MEMORY_BYTES_MAX,
      eventRetentionMs: env.POSTHORN_EVENT_RETENTION_SECONDS * 1000,
      shutdownDeadlineMs: env.POSTHORN_SHUTDOWN_DEADLINE_MS,
    },
    control: {
      shards,
      egress,
      publicUrl: env.POSTHORN_PUBLIC_URL,
      eventBytesMax: env.POSTHORN_EVENT_BYTES_MAX,
      eventTypePolicy: env.POSTHORN_EVENT_TYPE_POLICY,
      payloadMemoryBytesMax: env.POSTHORN_PAYLOAD_MEMORY_BYTES_MAX,
      endpointDisableAfterSeconds: env.POSTHORN_ENDPOINT_DISABLE_AFTER_SECONDS,
      historyRetentionSeconds: env.POSTHORN_HISTORY_RETENTION_SECONDS,
      operatorTenant: env.POSTHORN_OPERATOR_TENANT,
    },
    probe: {
      shards,
      name: env.POSTHORN_PROBE_NAME,
      intervalMs: env.POSTHORN_PROBE_INTERVAL_MS,
      key: env.POSTHORN_PROBE_KEY ?? env.POSTHORN_BOOTSTRAP_KEY,
      ingressUrl: env.POSTHORN_PROBE_INGRESS_URL,
      controlUrl: env.POSTHORN_PROBE_CONTROL_URL,
      caPath: env.POSTHORN_PROBE_CA_PATH,
      receiverUrl: env.POSTHORN_PROBE_RECEIVER_URL,
    },
    tracing: {
      endpoint: env.POSTHORN_OTLP_ENDPOINT,
      headers: env.POSTHORN_OTLP_HEADERS,
      samplePercent: env.POSTHORN_TRACE_SAMPLE_PERCENT,
    },
    errorReports: { dsn: env.POSTHORN_SENTRY_DSN, environment: env.POSTHORN_SENTRY_ENVIRONMENT },
    start: {
      dataDir: env.POSTHORN_DATA_DIR,
      cacheDir: env.POSTHORN_CACHE_DIR,
      natsPort: env.POSTHORN_NATS_PORT,
      receiverPort: env.POSTHORN_RECEIVER_PORT,
    },
  };
}

function serverSections(env: Environment): Pick<Settings, 'nats' | 'mongodb' | 'streams' | 'keys'> {
  return {
    nats: {
      url: env.POSTHORN_NATS_URL,
      login: {
        user: env.POSTHORN_NATS_USER,
        password: env.POSTHORN_NATS_PASSWORD,
        credentialsPath: env.POSTHORN_NATS_CREDENTIALS_PATH,
        nkeyPath: env.POSTHORN_NATS_NKEY_PATH,
        caPath: env.POSTHORN_NATS_CA_PATH,
        certificatePath: env.POSTHORN_NATS_CERTIFICATE_PATH,
        keyPath: env.POSTHORN_NATS_KEY_PATH,
      },
    },
    mongodb: {
      url: env.POSTHORN_MONGODB_URL,
      caPath: env.POSTHORN_MONGODB_CA_PATH,
      database: env.POSTHORN_MONGODB_DATABASE,
      historyRetentionSeconds: env.POSTHORN_HISTORY_RETENTION_SECONDS,
    },
    streams: {
      shards: env.POSTHORN_SHARDS,
      replicas: env.POSTHORN_STREAM_REPLICAS,
      bytesMax: env.POSTHORN_JETSTREAM_BYTES_MAX,
      eventRetentionSeconds: env.POSTHORN_EVENT_RETENTION_SECONDS,
      deliveryTimeoutMs: env.POSTHORN_DELIVERY_TIMEOUT_MS,
    },
    keys: {
      bootstrap: env.POSTHORN_BOOTSTRAP_KEY,
      master: env.POSTHORN_MASTER_KEY,
      otherMasters: env.POSTHORN_MASTER_KEYS_OTHER?.split(',') ?? [],
      wrongPerMinute: env.POSTHORN_WRONG_KEYS_PER_MINUTE,
    },
  };
}

/** The loader has checked that both files are named, or none. */
function certificateOf(env: Environment): CertificateSettings | undefined {
  const certificatePath = env.POSTHORN_HTTP_CERTIFICATE_PATH;
  const keyPath = env.POSTHORN_HTTP_KEY_PATH;
  if (certificatePath === undefined || keyPath === undefined) return undefined;
  return { certificatePath, keyPath };
}

/** The distinct roles in the order of the text. The schema has checked the names. */
function parseRoles(text: string): Role[] {
  return [...new Set(text.split(','))] as Role[];
}

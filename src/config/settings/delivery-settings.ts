import { FAN_OUT_DELAYS_PATTERN } from '#domain/event/fan-out-delay.ts';
import { TENANT_ID_PATTERN } from '#domain/tenant.ts';
import { integer, optionalText, text } from '../setting.ts';

/** Fan-out, attempts, and the health of endpoints. */
export const deliverySettings = {
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
    description: 'Attempts that one worker may have in flight, one tenant four fifths of them.',
  }),
  POSTHORN_RESOLVER_CONTROL_NAME: text({
    default: 'a.root-servers.net',
    pattern: '^[A-Za-z0-9._-]{1,253}$',
    description:
      "A name that this machine's name servers are asked about where names of several tenants cannot be looked up: without any answer the fault is theirs, and no attempt is counted. Where they know internal names only, name one of these.",
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
    pattern: TENANT_ID_PATTERN,
    description:
      'Tenant of the operator: gets the operational events (`posthorn.*`) of every tenant. Absent: nobody does.',
  }),
};

/** Where webhooks may go. */
export const egressSettings = {
  POSTHORN_EGRESS_ALLOW: text({
    default: '',
    description:
      'Networks (CIDR, separated by commas) that delivery may reach although they are private. An address in them may be http.',
  }),
};

import { FAN_OUT_DELAYS_PATTERN } from '#domain/event/fan-out-delay.ts';
import { TENANT_ID_PATTERN } from '#domain/tenant.ts';
import { integer, optionalText, text } from '../setting.ts';

/** Fan-out, attempts, and endpoint health. */
export const deliverySettings = {
  POSTHORN_DELIVERY_TIMEOUT_MS: integer({
    default: 15_000,
    minimum: 100,
    maximum: 60_000,
    description: 'Longest time of an attempt, from the dial to the last byte of the response.',
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
    description:
      'Attempts that one worker may have in flight; one tenant may use four fifths of them.',
  }),
  POSTHORN_RESOLVER_CONTROL_NAME: text({
    default: 'a.root-servers.net',
    pattern: '^[A-Za-z0-9._-]{1,253}$',
    description:
      'DNS name that is looked up when look-ups fail for several tenants. If it gets no answer either, the name servers of this machine are at fault, and no attempt is counted. If they resolve only internal names, set one of those.',
  }),
  POSTHORN_FANOUT_DELAYS_SECONDS: text({
    default: '100000:30,50000:15,10000:5',
    pattern: FAN_OUT_DELAYS_PATTERN,
    description:
      'Delay before the deliveries of an event begin, by the number of its endpoints: `<over>:<seconds>`, separated by commas. Empty: no delay.',
  }),
  POSTHORN_BROADCAST_ENDPOINTS_PER_SECOND: integer({
    default: 250,
    minimum: 1,
    maximum: 100_000,
    description:
      'Endpoints per second that broadcast events are sent to. They have lower priority than events for single tenants. A worker keeps a tenant in memory for a minute, about 40 KB each.',
  }),
  POSTHORN_ENDPOINT_DISABLE_AFTER_SECONDS: integer({
    default: 5 * 24 * 3600,
    minimum: 60,
    maximum: 365 * 24 * 3600,
    description:
      'An endpoint is disabled after its attempts have only failed for this long. An endpoint can override it.',
  }),
  POSTHORN_OPERATOR_TENANT: optionalText({
    pattern: TENANT_ID_PATTERN,
    description:
      'Tenant of the operator, which receives the operational events (`posthorn.*`) of every tenant. Absent: no tenant does.',
  }),
};

/** Addresses that webhooks may be sent to. */
export const egressSettings = {
  POSTHORN_EGRESS_ALLOW: text({
    default: '',
    description:
      'Private networks (CIDR, separated by commas) that webhooks may be sent to. URLs of endpoints in them may use http.',
  }),
};

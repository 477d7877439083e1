import { integer, optionalText, text } from '../setting.ts';

/** The synthetic probe. */
export const probeSettings = {
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
    description: 'Where the probe makes its tenants: base URL of control. Absent: that of ingress.',
  }),
  POSTHORN_PROBE_RECEIVER_URL: optionalText({
    pattern: '^http://[^/?#\\s@]+:[0-9]+$',
    description:
      'Where delivery reaches the receiver of the probe, like http://posthorn-probe:8082: the probe listens on that port. The same for control and delivery, which let the tenants of the probe, and nobody else, send there.',
  }),
};

import { integer, optionalText, text } from '../setting.ts';

/** The synthetic probe. */
export const probeSettings = {
  POSTHORN_PROBE_INTERVAL_MS: integer({
    default: 10_000,
    minimum: 0,
    maximum: 300_000,
    description:
      'Interval at which the synthetic probe (role `probe`) sends an event through each shard. 0: never; `posthorn start` then runs without the probe.',
  }),
  POSTHORN_PROBE_NAME: text({
    default: 'main',
    pattern: '^[a-z0-9][a-z0-9-]{0,31}$',
    description:
      'Name of the probe, part of the ids of its tenants. Each process with the role needs its own name.',
  }),
  POSTHORN_PROBE_KEY: optionalText({
    secret: true,
    minLength: 16,
    description:
      'Platform key with which the probe creates its tenants and publishes. Absent: `POSTHORN_BOOTSTRAP_KEY`.',
  }),
  POSTHORN_PROBE_INGRESS_URL: optionalText({
    pattern: '^https?://[^/?#\\s]+$',
    description:
      'Base URL of ingress, to which the probe publishes. Required for the role `probe`; `posthorn start` uses its own address.',
  }),
  POSTHORN_PROBE_CONTROL_URL: optionalText({
    pattern: '^https?://[^/?#\\s]+$',
    description:
      'Base URL of control, where the probe creates its tenants. Absent: the URL of ingress.',
  }),
  POSTHORN_PROBE_CA_PATH: optionalText({
    minLength: 1,
    description:
      'Path of the authorities (PEM) that sign the certificates of ingress and control. Absent: the public ones, and those of `NODE_EXTRA_CA_CERTS`.',
  }),
  POSTHORN_PROBE_RECEIVER_URL: optionalText({
    pattern: '^http://[^/?#\\s@]+:[0-9]+$',
    description:
      'URL at which delivery reaches the receiver of the probe, for example http://posthorn-probe:8082. The probe listens on that port. Set the same value for control and delivery: they allow this URL for the tenants of the probe only.',
  }),
};

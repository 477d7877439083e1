import { settingsSchema } from '#config/schema.ts';
import type { SettingOptions } from '#config/setting.ts';

/** The chart sets these settings itself, for each role. */
const SET_BY_THE_CHART = new Set([
  'POSTHORN_ROLES',
  'POSTHORN_NATS_URL',
  'POSTHORN_NATS_USER',
  'POSTHORN_NATS_CREDENTIALS_PATH',
  'POSTHORN_NATS_NKEY_PATH',
  'POSTHORN_NATS_CA_PATH',
  'POSTHORN_NATS_CERTIFICATE_PATH',
  'POSTHORN_NATS_KEY_PATH',
  'POSTHORN_MONGODB_CA_PATH',
  'POSTHORN_MONGODB_DATABASE',
  // These settings come from network.egress, which is also the source of the network policies.
  'POSTHORN_EGRESS_ALLOW',
  'POSTHORN_HTTP_CERTIFICATE_PATH',
  'POSTHORN_HTTP_KEY_PATH',
  'POSTHORN_HTTP_HOST',
  'POSTHORN_HTTP_PORT',
  'POSTHORN_OPS_HOST',
  'POSTHORN_OPS_PORT',
  'POSTHORN_SHUTDOWN_DEADLINE_MS',
  // The image knows its commit.
  'POSTHORN_REVISION',
  'POSTHORN_PROBE_CA_PATH',
  'POSTHORN_PROBE_INGRESS_URL',
  'POSTHORN_PROBE_CONTROL_URL',
  'POSTHORN_PROBE_RECEIVER_URL',
]);

/** These settings apply to `posthorn start` only. */
const OF_ONE_MACHINE = new Set([
  'POSTHORN_DATA_DIR',
  'POSTHORN_CACHE_DIR',
  'POSTHORN_NATS_PORT',
  'POSTHORN_RECEIVER_PORT',
]);

/**
 * The settings that the chart accepts as values, as JSON Schema (draft 7). The chart rejects at
 * rendering the values that the program would reject at its start.
 */
export function chartSettingsSchema(): { properties: object } {
  const properties: Record<string, object> = {};
  for (const [name, setting] of Object.entries(settingsSchema.properties)) {
    const { secret } = setting as unknown as SettingOptions;
    if (secret === true || SET_BY_THE_CHART.has(name) || OF_ONE_MACHINE.has(name)) continue;
    properties[name] = withoutDefault(setting);
  }
  const schema = {
    type: 'object',
    additionalProperties: false,
    // All processes must agree on these settings, so the chart sets them instead of relying on a
    // default.
    required: ['POSTHORN_SHARDS', 'POSTHORN_STREAM_REPLICAS'],
    properties,
  };
  return schema;
}

/** values.yaml has the defaults of Helm. A second copy here would mislead. */
function withoutDefault(setting: object): object {
  const copy = JSON.parse(JSON.stringify(setting)) as Record<string, unknown>;
  delete copy['default'];
  return copy;
}

const OWN = 'POSTHORN_';
/** Matches every name that does not begin with `OWN`. RE2, which helm uses, has no look-ahead. */
const FOREIGN = OWN.split('')
  .map((letter, i) => `^${OWN.slice(0, i)}([^${letter}]|$)`)
  .join('|');

/** The variables of a role: the settings above and those of other programs. */
function environmentSchema(settings: { properties: object }): object {
  return {
    type: 'object',
    additionalProperties: false,
    properties: settings.properties,
    patternProperties: { [FOREIGN]: { type: ['string', 'number', 'boolean'] } },
  };
}

/** Returns the text of the chart's schema with these parts inserted. */
export function putChartSettings(text: string): string {
  const schema = JSON.parse(text) as { definitions: Record<string, object> };
  const settings = chartSettingsSchema();
  schema.definitions['settings'] = settings;
  schema.definitions['environment'] = environmentSchema(settings);
  return `${JSON.stringify(schema, undefined, 2)}\n`;
}

import { settingsSchema } from '#config/schema.ts';
import type { SettingOptions } from '#config/setting.ts';

/** The chart sets these itself, for each role. */
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
  // From network.egress, which the policies are made of too.
  'POSTHORN_EGRESS_ALLOW',
  'POSTHORN_HTTP_HOST',
  'POSTHORN_HTTP_PORT',
  'POSTHORN_OPS_HOST',
  'POSTHORN_OPS_PORT',
  'POSTHORN_SHUTDOWN_DEADLINE_MS',
  'POSTHORN_PROBE_INGRESS_URL',
  'POSTHORN_PROBE_CONTROL_URL',
  'POSTHORN_PROBE_RECEIVER_URL',
]);

/** These are of `posthorn start` alone. */
const OF_ONE_MACHINE = new Set([
  'POSTHORN_DATA_DIR',
  'POSTHORN_CACHE_DIR',
  'POSTHORN_NATS_PORT',
  'POSTHORN_RECEIVER_PORT',
]);

/**
 * The settings that the chart takes as values, as JSON Schema (draft 7): what the program refuses
 * at its start, the chart refuses when it is rendered.
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
    // Those that all processes must agree on are said, not left to a default.
    required: ['POSTHORN_SHARDS', 'POSTHORN_STREAM_REPLICAS'],
    properties,
  };
  return schema;
}

/** Helm's defaults are in values.yaml; a second one here would only mislead. */
function withoutDefault(setting: object): object {
  const copy = JSON.parse(JSON.stringify(setting)) as Record<string, unknown>;
  delete copy['default'];
  return copy;
}

const OWN = 'POSTHORN_';
/** Every name that does not begin with `OWN`: RE2, which helm has, cannot look ahead. */
const FOREIGN = OWN.split('')
  .map((letter, i) => `^${OWN.slice(0, i)}([^${letter}]|$)`)
  .join('|');

/** The variables of a role: settings as above, and those of other programs. */
function environmentSchema(settings: { properties: object }): object {
  return {
    type: 'object',
    additionalProperties: false,
    properties: settings.properties,
    patternProperties: { [FOREIGN]: { type: ['string', 'number', 'boolean'] } },
  };
}

/** The text of the chart's schema with these parts put in. */
export function putChartSettings(text: string): string {
  const schema = JSON.parse(text) as { definitions: Record<string, object> };
  const settings = chartSettingsSchema();
  schema.definitions['settings'] = settings;
  schema.definitions['environment'] = environmentSchema(settings);
  return `${JSON.stringify(schema, undefined, 2)}\n`;
}

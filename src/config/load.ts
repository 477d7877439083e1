import { readFileSync } from 'node:fs';
import { Compile } from 'typebox/compile';
import { Default } from 'typebox/value';
import { ConfigError } from '#domain/errors.ts';
import { parseNetworks } from '#domain/endpoint/egress.ts';
import { parseTargetUrl } from '#domain/endpoint/target-url/target-url.ts';
import { type Environment, settingsSchema } from './schema.ts';
import { type Settings, toSections } from './sections.ts';
import type { SettingOptions } from './setting.ts';

const check = Compile(settingsSchema);

/**
 * Loads the settings from the environment, as the sections that the parts of the program read.
 *
 * @throws ConfigError
 */
export function loadSettings(env: Record<string, string | undefined>): Settings {
  return toSections(loadEnvironment(env));
}

/**
 * Reads and checks every setting by the name of its variable. A secret may come from the file named
 * by `<KEY>_FILE`. Reports all faults together. An unknown `POSTHORN_*` key is a fault too, so that
 * a misspelt setting is not ignored.
 *
 * @throws ConfigError
 */
export function loadEnvironment(env: Record<string, string | undefined>): Environment {
  const faults: string[] = [];
  const raw: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(env)) {
    if (!key.startsWith('POSTHORN_') || value === undefined || value === '') continue;
    const name = key.endsWith('_FILE') ? key.slice(0, -'_FILE'.length) : key;
    const property = settingOptions(name);
    if (property === undefined) {
      faults.push(`${key}: unknown setting`);
    } else if (key !== name && property.secret !== true) {
      faults.push(`${key}: only a secret may be read from a file`);
    } else if (key !== name && (env[name] ?? '') !== '') {
      faults.push(`${key}: ${name} is also set; set one of them`);
    } else {
      const text = key === name ? value : readSecretFile(key, value, faults);
      if (text === undefined) continue;
      raw[name] = property.type === 'integer' && /^-?\d+$/.test(text) ? Number(text) : text;
    }
  }
  const collector = env['OTEL_EXPORTER_OTLP_ENDPOINT'] ?? '';
  // OpenTelemetry's standard name for the setting.
  if (collector !== '') raw['POSTHORN_OTLP_ENDPOINT'] ??= collector;
  const settings = Default(settingsSchema, raw);
  for (const error of check.Errors(settings)) {
    const key = error.instancePath.slice(1) || 'settings';
    const oneOf = settingOptions(key)?.anyOf?.map((option) => option.const);
    const fault = oneOf === undefined ? error.message : `must be one of ${oneOf.join(', ')}`;
    faults.push(`${key}: ${fault}${allowed(key)}`);
  }
  checkNetworks(settings as Environment, faults);
  normalizeUrls(settings as Record<string, unknown>, faults);
  checkNatsLogin(settings as Environment, faults);
  checkCertificates(settings as Environment, faults);
  if (faults.length > 0) throw new ConfigError([...new Set(faults)]);
  return Object.freeze(settings) as Environment;
}

/** The type and the options of the setting `name`. */
function settingOptions(name: string): KnownSetting | undefined {
  return (settingsSchema.properties as Record<string, unknown>)[name] as KnownSetting | undefined;
}

/** `anyOf`: the allowed values. */
type KnownSetting = SettingOptions & { type?: string; anyOf?: { const: string }[] };

function readSecretFile(key: string, path: string, faults: string[]): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    faults.push(`${key}: ${(error as Error).message}`);
    return undefined;
  }
}

function allowed(key: string): string {
  const property = settingOptions(key);
  if (property === undefined) return '';
  const range =
    property.minimum === undefined ? '' : `, from ${property.minimum} to ${property.maximum}`;
  const pattern = property.pattern === undefined ? '' : `, like ${property.pattern}`;
  return ` (${property.description}${range}${pattern})`;
}

/** Settings that are the origin of URLs: scheme, host and port. */
const ORIGINS = [
  'POSTHORN_PUBLIC_URL',
  'POSTHORN_PROBE_INGRESS_URL',
  'POSTHORN_PROBE_CONTROL_URL',
  'POSTHORN_PROBE_RECEIVER_URL',
] as const;

/** Normalizes them to the form of endpoint URLs, with which they are compared. */
function normalizeUrls(settings: Record<string, unknown>, faults: string[]): void {
  for (const key of ORIGINS) {
    const text = settings[key];
    if (typeof text !== 'string') continue;
    const parsed = parseTargetUrl(text);
    if (parsed.ok) settings[key] = parsed.url.origin;
    else faults.push(`${key}: ${parsed.fault}`);
  }
}

const NATS_LOGINS = [
  'POSTHORN_NATS_USER',
  'POSTHORN_NATS_CREDENTIALS_PATH',
  'POSTHORN_NATS_NKEY_PATH',
] as const;

function checkNatsLogin(settings: Environment, faults: string[]): void {
  const given = NATS_LOGINS.filter((name) => settings[name] !== undefined);
  if (given.length > 1) faults.push(`${given.join(', ')}: only one of them may be set`);
}

/** Settings that name a certificate and its key. */
const CERTIFICATES = [
  ['POSTHORN_NATS_CERTIFICATE_PATH', 'POSTHORN_NATS_KEY_PATH'],
  ['POSTHORN_HTTP_CERTIFICATE_PATH', 'POSTHORN_HTTP_KEY_PATH'],
] as const;

function checkCertificates(settings: Environment, faults: string[]): void {
  for (const [certificate, key] of CERTIFICATES) {
    if ((settings[certificate] === undefined) !== (settings[key] === undefined)) {
      faults.push(`${certificate}, ${key}: must be set together`);
    }
  }
}

/** Settings that are lists of networks. */
const NETWORKS = ['POSTHORN_EGRESS_ALLOW', 'POSTHORN_HTTP_TRUSTED_PROXIES'] as const;

function checkNetworks(settings: Environment, faults: string[]): void {
  for (const name of NETWORKS) {
    try {
      parseNetworks(settings[name]);
    } catch (error) {
      faults.push(`${name}: ${(error as Error).message}`);
    }
  }
}

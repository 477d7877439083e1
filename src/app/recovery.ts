/** The commands of a recovery region: `mirror` before the loss of the primary, `promote` after. */
import { setTimeout as delay } from 'node:timers/promises';
import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import type { Settings } from '#config/sections.ts';
import { ConfigError, PosthornError } from '#domain/errors.ts';
import { connectNats } from '#infra/nats/connection.ts';
import {
  ensureMirrors,
  type MirrorState,
  promoteMirrors,
  readMirrors,
} from '#infra/nats/streams/mirrors.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { inboxPrefixOf } from '#wire/subjects.ts';

const REQUEST_TIMEOUT_MS = 5000;
/** nats-server sends heartbeats to an idle mirror, and connects again within seconds. */
const SILENCE_MAX_MS = 15_000;
const CHECK_EVERY_MS = 500;
const CHECKS = 60;

interface CommandDeps {
  log: Log;
  print: (line: string) => void;
}

/**
 * Creates or updates the mirrors, waits for a sign of life of the primary region in each, at most
 * 30 s, and prints how far each is behind. Idempotent: repeat it as a check.
 *
 * @throws ConfigError if a setting is missing or refused, or the streams are no mirrors
 * @throws PosthornError POSTHORN_NATS_UNAVAILABLE if a mirror does not hear the primary region
 */
export async function mirror(
  settings: Settings,
  { domain, log, print }: CommandDeps & { domain: string },
): Promise<void> {
  await withJetStream('mirror', settings, log, async (jsm) => {
    await ensureMirrors(jsm, settings.streams, domain);
    let states = await readMirrors(jsm, settings.streams);
    for (let check = 0; check < CHECKS && states.some(isSilent); check++) {
      await delay(CHECK_EVERY_MS);
      states = await readMirrors(jsm, settings.streams);
    }
    for (const state of states) print(describe(state));
    const silent = states.filter(isSilent).map(({ stream }) => stream);
    if (silent.length === 0) return;
    const detail = `no sign of life of the domain ${domain} for ${silent.join(', ')}`;
    throw new PosthornError('POSTHORN_NATS_UNAVAILABLE', { detail });
  });
}

/**
 * Turns the mirrors into streams, and prints up to where each has the messages of the lost region.
 *
 * @param deps.from events stored since then are routed again
 * @throws ConfigError if a setting is missing or refused, or there is no mirror
 */
export async function promote(
  settings: Settings,
  { from, log, print }: CommandDeps & { from: Date },
): Promise<void> {
  await withJetStream('promote', settings, log, async (jsm) => {
    await promoteMirrors(jsm, settings.streams, from);
    for (const { stream, messages } of await readMirrors(jsm, settings.streams)) {
      print(`${stream}: ${messages} messages, read from ${from.toISOString()} on`);
    }
  });
}

async function withJetStream(
  command: string,
  settings: Settings,
  log: Log,
  work: (jsm: JetStreamManager) => Promise<void>,
): Promise<void> {
  const { url, login } = settings.nats;
  if (url === undefined) throw new ConfigError([`POSTHORN_NATS_URL: is required for ${command}`]);
  // It has the rights of the migration, which creates and changes streams.
  const inboxPrefix = inboxPrefixOf(['migrate']);
  const nc = await connectNats(url, `posthorn ${command}`, log, { ...login, inboxPrefix });
  try {
    await work(await jetstreamManager(nc, { checkAPI: false, timeout: REQUEST_TIMEOUT_MS }));
  } finally {
    await nc.close();
  }
}

function isSilent({ silenceMs }: MirrorState): boolean {
  return silenceMs === undefined || silenceMs > SILENCE_MAX_MS;
}

function describe({ stream, messages, behind, silenceMs }: MirrorState): string {
  const age = silenceMs === undefined ? 'never' : `${(silenceMs / 1000).toFixed(1)} s ago`;
  return `${stream}: ${messages} messages, ${behind} behind, last contact ${age}`;
}

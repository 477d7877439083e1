/**
 * Exports the health of a client of MongoDB (OB-2), from the driver's own events: the heartbeats of
 * its servers, every 10 s, and its pool of connections. A managed MongoDB has no exporter to
 * scrape, so these figures are the only ones that exist everywhere.
 *
 * Commands are not monitored: the driver would decode every answer a second time.
 */
import type { Document, MongoClient } from 'mongodb';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { Clock } from '#domain/clock.ts';

const KINDS = ['primary', 'secondary', 'other'] as const;
type Kind = (typeof KINDS)[number];

/** A server at its last heartbeat. */
export interface Member {
  kind: Kind;
  /** By the server's clock, milliseconds since 1970; undefined if it does not report it. */
  lastWriteMs: number | undefined;
  /** Monotonic milliseconds of this process. */
  seenMs: number;
}

export interface MongoClientMetricsDeps {
  registry: Registry;
  clock: Clock;
}

/** Called once, before the client connects. */
export function watchMongo(
  mongo: Pick<MongoClient, 'on'>,
  { registry, clock }: MongoClientMetricsDeps,
): void {
  const members = new Map<string, Member>();
  mongo.on('serverHeartbeatSucceeded', ({ connectionId, reply }) => {
    members.set(connectionId, memberOf(reply, clock.monotonicMs()));
  });
  mongo.on('serverHeartbeatFailed', ({ connectionId }) => {
    members.delete(connectionId);
  });
  mongo.on('serverClosed', ({ address }) => members.delete(address));
  const pool = watchPool(mongo, registry, clock);
  const registers = [registry];
  const up: Gauge = new Gauge({
    name: 'posthorn_mongodb_up',
    help: '1 while the process knows a primary and its last connection was accepted, else 0.',
    registers,
    collect: (): void => up.set(!pool.isRefused && countOf(members, 'primary') > 0 ? 1 : 0),
  });
  const servers: Gauge<'kind'> = new Gauge({
    name: 'posthorn_mongodb_servers',
    help: 'Servers of MongoDB that answer the heartbeats of this process.',
    labelNames: ['kind'],
    registers,
    collect: (): void => {
      for (const kind of KINDS) servers.set({ kind }, countOf(members, kind));
    },
  });
  const lag: Gauge = new Gauge({
    name: 'posthorn_mongodb_replica_lag_seconds',
    help: 'How far the slowest secondary is behind the primary.',
    registers,
    collect: (): void => {
      const ms = lagMs([...members.values()]);
      if (ms === undefined) lag.remove();
      else lag.set(ms / 1000);
    },
  });
}

/** Exports the connections. `isRefused`: the last attempt to get one failed. */
function watchPool(
  mongo: Pick<MongoClient, 'on'>,
  registry: Registry,
  clock: Clock,
): { readonly isRefused: boolean } {
  const state = { isRefused: false, created: 0, inUse: 0 };
  const registers = [registry];
  const failures = new Counter({
    name: 'posthorn_mongodb_connection_failures_total',
    help: 'Operations that got no connection to MongoDB, by reason.',
    labelNames: ['reason'],
    registers,
  });
  for (const reason of ['timeout', 'connectionError', 'poolClosed']) failures.inc({ reason }, 0);
  const lastFailure = new Gauge({
    name: 'posthorn_mongodb_last_failure_timestamp_seconds',
    help: 'Time of the last failed connection or heartbeat, in seconds since 1970; 0 if none.',
    registers,
  });
  const failed = (): void => lastFailure.set(clock.wallMs() / 1000);
  const connections: Gauge<'state'> = new Gauge({
    name: 'posthorn_mongodb_connections',
    help: 'Connections of this process to MongoDB, by state.',
    labelNames: ['state'],
    registers,
    collect: (): void => {
      connections.set({ state: 'in_use' }, state.inUse);
      connections.set({ state: 'idle' }, Math.max(0, state.created - state.inUse));
    },
  });
  mongo.on('connectionCreated', () => state.created++);
  mongo.on('connectionClosed', () => state.created--);
  mongo.on('connectionCheckedOut', () => {
    state.inUse++;
    state.isRefused = false;
  });
  mongo.on('connectionCheckedIn', () => state.inUse--);
  mongo.on('connectionCheckOutFailed', ({ reason }) => {
    failures.inc({ reason });
    // A full pool of connections is slow, not down.
    if (reason === 'connectionError') state.isRefused = true;
    failed();
  });
  mongo.on('serverHeartbeatFailed', failed);
  // The next operation decides: without this, an idle process would stay down after an outage.
  mongo.on('connectionPoolReady', () => {
    state.isRefused = false;
  });
  return state;
}

function memberOf(hello: Document, seenMs: number): Member {
  const { lastWriteDate } = (hello['lastWrite'] ?? {}) as { lastWriteDate?: Date };
  return { kind: kindOf(hello), lastWriteMs: lastWriteDate?.getTime(), seenMs };
}

/** A server alone, or a router of a sharded cluster, takes writes too. */
function kindOf(hello: Document): Kind {
  if (hello['isWritablePrimary'] === true || hello['ismaster'] === true) return 'primary';
  return hello['secondary'] === true ? 'secondary' : 'other';
}

function countOf(members: ReadonlyMap<string, Member>, kind: Kind): number {
  let count = 0;
  for (const member of members.values()) if (member.kind === kind) count++;
  return count;
}

/**
 * The largest lag of a secondary, in milliseconds; undefined without a primary or a secondary. The
 * two heartbeats are at different times, which the formula of the driver's `maxStaleness` removes.
 */
export function lagMs(members: readonly Member[]): number | undefined {
  const primary = members.find(({ kind }) => kind === 'primary');
  const behind = members
    .filter(({ kind }) => kind === 'secondary')
    .map((secondary) => ageMs(secondary) - (primary === undefined ? Number.NaN : ageMs(primary)))
    .filter((ms) => Number.isFinite(ms));
  return behind.length === 0 ? undefined : Math.max(0, ...behind);
}

function ageMs({ seenMs, lastWriteMs = Number.NaN }: Member): number {
  return seenMs - lastWriteMs;
}

import { setTimeout as delay } from 'node:timers/promises';
import type { JetStreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import type { Clock } from '#domain/clock.ts';
import { PosthornError } from '#domain/errors.ts';
import { lifeOf, tenantIdOf } from '#domain/tenant.ts';
import { LEASE_MS } from '#infra/nats/streams/streams.ts';
import type { TenantSnapshot } from '#wire/config-snapshot.ts';
import type { LifeViewAnswer } from '#wire/lives/life-view.ts';
import { buckets, configKeys, leaseKeys, subjects } from '#wire/subjects.ts';

/** Longer than a lease: this waits until the lease of a killed process has expired. */
const WAIT_MS_MAX = LEASE_MS + 2000;
const ASK_TIMEOUT_MS = 500;
const POLL_MS = 50;

export interface LifeViewsDeps {
  nc: NatsConnection;
  /** Opened on first use: control starts while NATS is down. */
  jsm: () => Promise<JetStreamManager>;
  clock: Clock;
}

/**
 * Waits until no process acts for an earlier life of a tenant (`infra/nats/lives/life-view.ts`).
 *
 * The new life must be in the bucket CONFIG before the live processes are listed and queried. A
 * process that starts after the listing catches up with the bucket before it trusts itself.
 */
export class LifeViews {
  private readonly deps: LifeViewsDeps;

  constructor(deps: LifeViewsDeps) {
    this.deps = deps;
  }

  /**
   * @throws PosthornError POSTHORN_TENANT_NOT_READY if a live process does not know it within 6 s
   */
  async confirm(lifeId: string): Promise<void> {
    const deadlineMs = this.deps.clock.monotonicMs() + WAIT_MS_MAX;
    let fault: unknown;
    for (;;) {
      try {
        const jsm = await this.deps.jsm();
        if ((await isPublished(jsm, lifeId)) && (await this.isKnownEverywhere(jsm, lifeId))) return;
        fault = undefined;
      } catch (error) {
        fault = error;
      }
      if (this.deps.clock.monotonicMs() > deadlineMs) throw notReady(lifeId, fault);
      await delay(POLL_MS);
    }
  }

  private async isKnownEverywhere(jsm: JetStreamManager, lifeId: string): Promise<boolean> {
    const names = await liveNames(jsm);
    const known = await Promise.all(
      names.map(async (name) => (await this.ask(name, lifeId)) || !(await isLive(jsm, name))),
    );
    return known.every(Boolean);
  }

  private async ask(name: string, lifeId: string): Promise<boolean> {
    try {
      const options = { timeout: ASK_TIMEOUT_MS };
      const answer = await this.deps.nc.request(subjects.lifeView(name), lifeId, options);
      return (answer.string() as LifeViewAnswer) === 'known';
    } catch {
      // The process was killed, is paused or is disconnected: once its lease expires, that no
      // longer matters.
      return false;
    }
  }
}

const LEASES = `KV_${buckets.leases}`;
const leaseSubject = (name: string): string =>
  `$KV.${buckets.leases}.${leaseKeys('view').worker(name)}`;

/** Read from the leader, as below: a replica may lag. */
async function isPublished(jsm: JetStreamManager, lifeId: string): Promise<boolean> {
  const query = { last_by_subj: `$KV.${buckets.config}.${configKeys.tenant(tenantIdOf(lifeId))}` };
  const entry = await jsm.streams.getMessage(`KV_${buckets.config}`, query);
  if (entry === null || entry.data.length === 0) return false;
  return (entry.json<TenantSnapshot>().life ?? 0) >= lifeOf(lifeId);
}

async function liveNames(jsm: JetStreamManager): Promise<string[]> {
  const all = leaseSubject('*');
  const { state } = await jsm.streams.info(LEASES, { subjects_filter: all });
  return Object.keys(state.subjects ?? {}).map((subject) => subject.slice(all.length - 1));
}

async function isLive(jsm: JetStreamManager, name: string): Promise<boolean> {
  const entry = await jsm.streams.getMessage(LEASES, { last_by_subj: leaseSubject(name) });
  // A released lease leaves a marker without a value.
  return entry !== null && entry.data.length > 0;
}

function notReady(lifeId: string, cause: unknown): PosthornError {
  const detail =
    `the tenant ${tenantIdOf(lifeId)} was created again, and a process may still act for its earlier life; ` +
    'send the request again';
  return new PosthornError('POSTHORN_TENANT_NOT_READY', { detail, cause });
}

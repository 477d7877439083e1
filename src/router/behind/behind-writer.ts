/**
 * Writes the tenants of a shard that are behind to the bucket BEHIND, for one ownership of the
 * shard.
 *
 * `acquire` writes the key of the shard once, unchanged, so each later write of an earlier owner is
 * refused: a write that left it before it lost the shard and arrived late, too. One key holds all
 * tenants of the shard. With a key for each tenant, a late write for a tenant that the new owner
 * does not know as behind would be accepted.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '#domain/clock.ts';
import { newId } from '#domain/ids.ts';
import type { BehindStore } from '#infra/nats/stores/behind-store.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { RepeatingFault } from '#infra/telemetry/repeating-fault.ts';
import type { BehindState } from '#wire/behind-state.ts';

const RETRY_DELAY_MS = 250;

/** Another router owns the shard. */
export class OvertakenError extends Error {
  constructor() {
    super('another router owns the shard');
    this.name = 'OvertakenError';
  }
}

export interface BehindWriterDeps {
  store: BehindStore;
  shard: number;
  /** Whether this process owns the shard, by the clock. */
  owns: () => boolean;
  /** The state to write, at the moment of the write. */
  tenants: () => BehindState['tenants'];
  log: Log;
  clock: Clock;
}

export class BehindWriter {
  private readonly deps: BehindWriterDeps;
  private readonly owner: string;
  private readonly fault: RepeatingFault;
  private revision = 0;
  private running: Promise<void> = Promise.resolve();
  private queued: Promise<void> | undefined;

  constructor(deps: BehindWriterDeps) {
    this.deps = deps;
    this.owner = newId('bh', deps.clock.wallMs());
    this.fault = new RepeatingFault(deps.log, 'router.behind_not_saved', deps.clock.monotonicMs);
  }

  /**
   * Resolves with the tenants that are behind. From then on no earlier owner can write.
   *
   * @throws OvertakenError, or an error if NATS does not answer
   */
  async acquire(): Promise<BehindState['tenants']> {
    const { store, shard } = this.deps;
    while (this.deps.owns()) {
      const known = await store.read(shard);
      const tenants = known?.state?.tenants ?? {};
      const state = { owner: this.owner, tenants };
      const revision = await store.write(shard, state, known?.revision ?? 0);
      if (revision !== undefined) {
        this.revision = revision;
        return tenants;
      }
      await delay(RETRY_DELAY_MS);
    }
    throw new OvertakenError();
  }

  /**
   * Resolves when a state of after this call is stored. Calls during a write share the next one.
   *
   * @throws OvertakenError
   */
  save(): Promise<void> {
    if (this.queued !== undefined) return this.queued;
    const queued = this.running.then(() => {
      this.queued = undefined;
      return this.write();
    });
    this.queued = queued;
    this.running = queued.catch(() => {});
    return queued;
  }

  private async write(): Promise<void> {
    const { store, shard, owns } = this.deps;
    while (owns()) {
      try {
        const state = { owner: this.owner, tenants: this.deps.tenants() };
        const revision = await store.write(shard, state, this.revision);
        if (revision !== undefined) {
          this.revision = revision;
          return;
        }
        await this.reread();
      } catch (error) {
        if (error instanceof OvertakenError) throw error;
        // If it was stored, the next write is refused, and its revision is read.
        this.fault.failed(error as Error, { shard });
      }
      await delay(RETRY_DELAY_MS);
    }
    throw new OvertakenError();
  }

  /** After a refused write: an earlier one of this owner was stored, or the key is gone. */
  private async reread(): Promise<void> {
    const known = await this.deps.store.read(this.deps.shard);
    // Never write over another owner's state: this router may be the one that was overtaken.
    if (known?.state !== undefined && known.state.owner !== this.owner) throw new OvertakenError();
    this.revision = known?.revision ?? 0;
  }
}

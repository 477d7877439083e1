/**
 * Gives control processes turns for changes of one resource, with a ticket lock in MongoDB
 * (Mellor-Crummey and Scott, 1991). A process takes the next number of a key, waits until that
 * number is served, and passes the turn on.
 * The lock serves fairness only. A transaction guards the change itself, so a lost or skipped turn
 * costs no more than a write conflict. This keeps the lock cheap: no transaction, no majority, no
 * lease to renew.
 * Crash: any waiting process skips the number of a dead process after `SKIP_AFTER_MS`. A process
 * has at most one number of a key. The documents expire an hour after the last number was taken.
 */
import type { Collection } from 'mongodb';
import type { Clock } from '#domain/clock.ts';
import { Backoff } from '#domain/contention/backoff.ts';
import type { ChangeTurnDocument } from '#infra/mongo/configuration.ts';
import { pause } from '#infra/retry.ts';

/** Longer than a turn on a busy machine. */
const SKIP_AFTER_MS = 3000;
const POLL_DELAYS = { firstMs: 2, maxMs: 25 };

export interface Ticket {
  key: string;
  number: number;
}

export class MongoTickets {
  private readonly turns: Collection<ChangeTurnDocument>;
  private readonly clock: Clock;

  constructor(deps: { turns: Collection<ChangeTurnDocument>; clock: Clock }) {
    this.turns = deps.turns;
    this.clock = deps.clock;
  }

  /**
   * Takes a number and resolves when its turn comes.
   *
   * @throws errors of MongoDB; others skip a number that was taken by then
   */
  async take(key: string): Promise<Ticket> {
    const taken = await this.turns.findOneAndUpdate(
      { _id: key },
      [
        {
          $set: {
            taken: { $add: [{ $ifNull: ['$taken', 0] }, 1] },
            served: { $ifNull: ['$served', 1] },
            at: '$$NOW',
          },
        },
      ],
      { upsert: true, returnDocument: 'after' },
    );
    const number = taken?.taken ?? 0;
    await this.wait(key, number, taken?.served ?? number);
    return { key, number };
  }

  /** Serves the next number, unless this number was skipped. */
  async pass({ key, number }: Ticket): Promise<void> {
    await this.turns.updateOne({ _id: key, served: number }, { $inc: { served: 1 } });
  }

  private async wait(key: string, number: number, servedFirst: number): Promise<void> {
    let served = servedFirst;
    let sinceMs = this.clock.monotonicMs();
    const delays = new Backoff(POLL_DELAYS);
    while (served < number) {
      await pause(delays.next());
      const now = (await this.turns.findOne({ _id: key }))?.served ?? number;
      if (now !== served) {
        served = now;
        sinceMs = this.clock.monotonicMs();
      } else if (this.clock.monotonicMs() - sinceMs > SKIP_AFTER_MS) {
        await this.pass({ key, number: served });
      }
    }
  }
}

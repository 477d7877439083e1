/**
 * Runs the changes of one resource (a tenant, the registry of event types) one after the other: in
 * the order of arrival within this process, in turns between processes (`mongo-tickets.ts`).
 * Concurrent transactions on one document abort each other, and with randomized retries some never
 * commit.
 * A change is waiting -> running -> done. It is rejected with 503 if `limits.changesWaitingMax`
 * changes already wait, or if its turn does not come within `CHANGE_DEADLINE_MS`. A rejected change
 * has changed nothing.
 * Bounds: a process keeps the turn for `TURN_CHANGES_MAX` changes or `TURN_MS`. State is in memory:
 * a waiting change is lost with its request.
 */
import type { Clock } from '#domain/clock.ts';
import { PerKeySerialQueue } from '#domain/contention/serial-queue.ts';
import { PosthornError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import type { Configuration } from '#infra/mongo/configuration.ts';
import { MongoTickets, type Ticket } from './mongo-tickets.ts';

/** Changes of the same key wait for each other. */
export const turnKeys = {
  tenant: (id: string): string => `tenant/${id}`,
  eventTypes: 'event-types',
};

const CHANGE_DEADLINE_MS = 20_000;
const TURN_CHANGES_MAX = 8;
const TURN_MS = 500;

interface Waiting {
  run: () => Promise<void>;
  refuse: (error: unknown) => void;
  /** Its deadline has passed: it is rejected already. */
  isLate: boolean;
  timer: NodeJS.Timeout;
}

/** The turn of this process for a key. */
interface Turn {
  ticket: Ticket;
  changes: number;
  /** Monotonic milliseconds. */
  endMs: number;
}

export interface ChangeTurnsDeps {
  tickets: Pick<MongoTickets, 'take' | 'pass'>;
  clock: Clock;
  /** How long a change waits for its turn. Absent: `CHANGE_DEADLINE_MS`. */
  deadlineMs?: number;
}

/**
 * Creates the turns of a process. They alternate with those of other processes on the same
 * database.
 */
export function createChangeTurns(
  { changeTurns }: Pick<Configuration, 'changeTurns'>,
  clock: Clock,
): ChangeTurns {
  return new ChangeTurns({ tickets: new MongoTickets({ turns: changeTurns, clock }), clock });
}

export class ChangeTurns {
  private readonly tickets: ChangeTurnsDeps['tickets'];
  private readonly clock: Clock;
  private readonly deadlineMs: number;
  private readonly queue: PerKeySerialQueue<Waiting>;
  /** By key; only turns that this process has. */
  private readonly turns = new Map<string, Turn>();

  constructor(deps: ChangeTurnsDeps) {
    this.tickets = deps.tickets;
    this.clock = deps.clock;
    this.deadlineMs = deps.deadlineMs ?? CHANGE_DEADLINE_MS;
    this.queue = new PerKeySerialQueue({
      start: (waiting, key) => {
        void this.serve(key, waiting).finally(() => this.queue.ended(key));
        return false;
      },
      soon: setImmediate,
    });
  }

  /**
   * Runs `work` in its turn.
   *
   * @throws PosthornError POSTHORN_OVERLOADED, and errors of `work` or MongoDB
   */
  run<T>(key: string, work: () => Promise<T>): Promise<T> {
    if (this.queue.waiting(key) >= limits.changesWaitingMax) {
      return Promise.reject(overloaded(`${limits.changesWaitingMax} changes wait already`));
    }
    return new Promise<T>((resolve, refuse) => {
      const waiting: Waiting = {
        run: () => work().then(resolve, refuse),
        refuse,
        isLate: false,
        timer: setTimeout(() => {
          waiting.isLate = true;
          this.queue.remove(key, waiting);
          refuse(overloaded('its turn did not come in time'));
        }, this.deadlineMs),
      };
      this.queue.add(key, waiting);
    });
  }

  /** Runs a change in the turn of this process, and passes the turn on if it is used up. */
  private async serve(key: string, waiting: Waiting): Promise<void> {
    try {
      const turn = this.turns.get(key) ?? (await this.takeTurn(key));
      clearTimeout(waiting.timer);
      if (!waiting.isLate) {
        turn.changes++;
        await waiting.run();
      }
      // No deadline can pass between here and the start of the next change, which keeps the turn.
      const hasMore = this.queue.waiting(key) > 0;
      const isUsedUp = turn.changes >= TURN_CHANGES_MAX || this.clock.monotonicMs() >= turn.endMs;
      if (hasMore && !isUsedUp) return;
      this.turns.delete(key);
      await this.tickets.pass(turn.ticket);
    } catch (error) {
      // MongoDB is unavailable: each of them would wait for it in vain.
      for (const each of [waiting, ...this.queue.removeWaiting(key)]) {
        clearTimeout(each.timer);
        each.refuse(error);
      }
    }
  }

  private async takeTurn(key: string): Promise<Turn> {
    const ticket = await this.tickets.take(key);
    const turn = { ticket, changes: 0, endMs: this.clock.monotonicMs() + TURN_MS };
    this.turns.set(key, turn);
    return turn;
  }
}

function overloaded(why: string): PosthornError {
  return new PosthornError('POSTHORN_OVERLOADED', {
    detail: `${why}; nothing was changed, try again`,
  });
}

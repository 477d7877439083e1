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
import { PosthornError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import type { Configuration } from '#infra/mongo/configuration.ts';
import { MongoTickets } from './mongo-tickets.ts';

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
  timer: NodeJS.Timeout;
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
  /** By key; holds only keys with a waiting or running change. */
  private readonly queues = new Map<string, Set<Waiting>>();

  constructor(deps: ChangeTurnsDeps) {
    this.tickets = deps.tickets;
    this.clock = deps.clock;
    this.deadlineMs = deps.deadlineMs ?? CHANGE_DEADLINE_MS;
  }

  /**
   * Runs `work` in its turn.
   *
   * @throws PosthornError POSTHORN_OVERLOADED, and errors of `work` or MongoDB
   */
  run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const known = this.queues.get(key);
    if (known !== undefined && known.size >= limits.changesWaitingMax) {
      return Promise.reject(overloaded(`${limits.changesWaitingMax} changes wait already`));
    }
    const queue = known ?? new Set<Waiting>();
    const result = new Promise<T>((resolve, refuse) => {
      const timer = setTimeout(() => {
        queue.delete(waiting);
        refuse(overloaded('its turn did not come in time'));
      }, this.deadlineMs);
      const run = (): Promise<void> => work().then(resolve, refuse);
      const waiting: Waiting = { run, refuse, timer };
      queue.add(waiting);
    });
    if (known === undefined) {
      this.queues.set(key, queue);
      void this.serve(key, queue);
    }
    return result;
  }

  private async serve(key: string, queue: Set<Waiting>): Promise<void> {
    while (queue.size > 0) {
      try {
        const ticket = await this.tickets.take(key);
        await this.runSome(queue);
        await this.tickets.pass(ticket);
      } catch (error) {
        // MongoDB is unavailable: each of them would wait for it in vain.
        for (let next = takeFirst(queue); next !== undefined; next = takeFirst(queue)) {
          next.refuse(error);
        }
      }
    }
    this.queues.delete(key);
  }

  private async runSome(queue: Set<Waiting>): Promise<void> {
    const endMs = this.clock.monotonicMs() + TURN_MS;
    for (let ran = 0; ran < TURN_CHANGES_MAX && this.clock.monotonicMs() < endMs; ran++) {
      const next = takeFirst(queue);
      if (next === undefined) return;
      await next.run();
    }
  }
}

function takeFirst(queue: Set<Waiting>): Waiting | undefined {
  const [first] = queue;
  if (first === undefined) return undefined;
  queue.delete(first);
  clearTimeout(first.timer);
  return first;
}

function overloaded(why: string): PosthornError {
  return new PosthornError('POSTHORN_OVERLOADED', {
    detail: `${why}; nothing was changed, try again`,
  });
}

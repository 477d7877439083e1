import { setTimeout as delay } from 'node:timers/promises';
import type { TenantLives } from '#infra/tenant-lives.ts';
import type { InFlightEvent } from '../in-flight-event.ts';

const POLL_MS = 1000;
/** How often an unacked event checks for the configuration of its life. */
const POLLS_MAX = 10;
/** Redelivery delay after that, so that the event does not use up the consumer's ack window. */
const RETRY_DELAY_MS = 30_000;

export interface LifeGateDeps {
  lives: Pick<TenantLives, 'status' | 'drops' | 'gaveUpOn'>;
  /** Refreshes the configuration of a tenant in this process. */
  refresh: (message: InFlightEvent, lifeId: string) => Promise<void>;
}

/** Admits events of their tenant's current life. */
export class LifeGate {
  private readonly deps: LifeGateDeps;

  constructor(deps: LifeGateDeps) {
    this.deps = deps;
  }

  /**
   * Whether the event is to be routed. Events of an ended life are acked, neither routed nor
   * recorded. An event of a life that this process does not know yet waits for 10 s, and is then
   * redelivered later. Once the life was unknown for `limits.unbornLifeWaitMs`, its events are
   * dropped in the same way.
   */
  async admits(message: InFlightEvent, lifeId: string): Promise<boolean> {
    const { lives, refresh } = this.deps;
    for (let polls = 0; lives.status(lifeId) === 'unborn'; polls++) {
      if (!message.isOwner()) return true;
      if (lives.gaveUpOn(lifeId, 'event')) {
        message.ack();
        return false;
      }
      if (polls === POLLS_MAX) {
        message.nak(RETRY_DELAY_MS);
        return false;
      }
      await delay(POLL_MS);
      await refresh(message, lifeId);
    }
    if (!lives.drops(lifeId, 'event')) return true;
    message.ack();
    return false;
  }
}

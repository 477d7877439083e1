import { setTimeout as delay } from 'node:timers/promises';
import type { TenantLives } from '#infra/tenant-lives.ts';
import type { EventInHand } from '../event-in-hand.ts';

const LOOK_AGAIN_MS = 1000;
/** How long an event of a life that the configuration does not have yet is waited for in hand. */
const LOOKS_MAX = 10;
/** Then it is given back, so that it takes no place among what the consumer gives. */
const AGAIN_AFTER_MS = 30_000;

export interface LifeGateDeps {
  lives: Pick<TenantLives, 'standing' | 'drops'>;
  /** Brings what the process knows of a tenant up to date. */
  refresh: (message: EventInHand, lifeId: string) => Promise<void>;
}

/** Lets events through that are of their tenant's current life. */
export class LifeGate {
  private readonly deps: LifeGateDeps;

  constructor(deps: LifeGateDeps) {
    this.deps = deps;
  }

  /**
   * Whether the event is to be routed. One of an ended life is acked, unrouted and unrecorded. One of a life
   * that this process does not know yet is waited for, for 10 s in hand, and then given back unacked.
   */
  async admits(message: EventInHand, lifeId: string): Promise<boolean> {
    const { lives, refresh } = this.deps;
    for (let looks = 0; lives.standing(lifeId) === 'unborn'; looks++) {
      if (!message.mayWork()) return true;
      if (looks === LOOKS_MAX) {
        message.nak(AGAIN_AFTER_MS);
        return false;
      }
      await delay(LOOK_AGAIN_MS);
      await refresh(message, lifeId);
    }
    if (!lives.drops(lifeId, 'event')) return true;
    message.ack();
    return false;
  }
}

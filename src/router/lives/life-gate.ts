import { setTimeout as delay } from 'node:timers/promises';
import type { TenantLives } from '#infra/tenant-lives.ts';
import type { EventInHand } from '../in-flight-event.ts';

const LOOK_AGAIN_MS = 1000;
/** How often an unacked event waits for the configuration of its life. */
const LOOKS_MAX = 10;
/** Then it is redelivered after this time: it must not use up the consumer's unacked messages. */
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
   * Whether the event is to be routed. An event of an ended life is acked, unrouted and
   * unrecorded. An event of a life that this process does not know yet waits for 10 s, and is
   * then redelivered later.
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

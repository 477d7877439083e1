import { FairSlots } from '#infra/http/dial/fair-semaphore.ts';

/** How long a search may take. */
export const SEARCH_MS_MAX = 10_000;
/** Of the 20 connections that a process has to MongoDB: the others are left to changes, look-ups and the projector. */
const SLOTS = 12;

/**
 * Searches of the history, which may take `SEARCH_MS_MAX` each. A tenant runs at most half of those that are free, and its others wait
 * in its own line, so that its searches do not take every connection to MongoDB.
 */
export class FairSearches {
  private readonly slots = new FairSlots(SLOTS);

  /** Runs the search when it has a slot. @throws whatever the search throws */
  run<T>(tenant: string, search: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.slots.enter(tenant, () => {
        void search()
          .then(resolve, reject)
          .finally(() => this.slots.leave(tenant));
        return true;
      });
    });
  }
}

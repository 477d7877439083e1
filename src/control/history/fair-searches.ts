import { FairSemaphore } from '#domain/contention/fair-semaphore.ts';

/** How long a search may take. */
export const SEARCH_MS_MAX = 10_000;
/**
 * A process has 20 connections to MongoDB: the others are left to changes, look-ups and the
 * projector.
 */
const SLOTS = 12;

/**
 * Runs searches of the history, which may take `SEARCH_MS_MAX` each. A tenant uses at most half of
 * the free slots, and its other searches wait in its own queue, so that it cannot occupy every
 * connection to MongoDB.
 */
export class FairSearches {
  private readonly slots = new FairSemaphore(SLOTS);

  /** Runs the search once it has a slot. @throws errors of the search */
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

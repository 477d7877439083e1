/**
 * A request of control to every process: does it know the new life of a tenant? Sent over core NATS
 * to `subjects.lifeView`, with the id of the new life as its payload.
 */

/** `known`: the process does no more work for an earlier life. `behind`: repeat the query. */
export type LifeViewAnswer = 'known' | 'behind';

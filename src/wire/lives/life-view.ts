/**
 * The question of control to every process, whether it knows the new life of a tenant: a request
 * over core NATS to `subjects.lifeView`, whose payload is the id of the life that began.
 */

/** `known`: the process does nothing more for an earlier life. `behind`: ask again. */
export type LifeViewAnswer = 'known' | 'behind';

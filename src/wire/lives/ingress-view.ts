/**
 * What control asks an ingress process: whether it has stopped accepting events for the earlier lives of a
 * tenant. A request over core NATS to `subjects.ingressView`; its payload is the id of the life that began.
 */

/** `known`: no event is answered with 202 from now on for an earlier life. `behind`: ask again. */
export type IngressViewAnswer = 'known' | 'behind';

import { setTimeout as delay } from 'node:timers/promises';
import type { Behaviour } from '#testkit/receiver-behaviour.ts';
import type { Fault } from '../fault.ts';

const BAD_MS = 8000;

/** Behaviour of each broken receiver. All but the flapping one never complete a 2xx response. */
const behaviours: Record<string, (random: () => number) => Behaviour> = {
  hang: () => ({ hang: 'request' }),
  hangInBody: () => ({ hang: 'body' }),
  reset: () => ({ cut: 'reset' }),
  trickle: () => ({ trickleMs: 50, bytes: 1000, status: 500 }),
  endless: () => ({ endless: true, status: 500 }),
  garbage: () => ({ raw: 'HTTP/1.1 banana\r\n\0\r\n' }),
  redirect: () => ({ status: 302, headers: { location: '/elsewhere' } }),
  flap: (random) => (random() < 0.5 ? { cut: 'end' } : { status: 200 }),
};

/** One tenant for each bad behaviour, for 8 s. The receivers of the other tenants are healthy. */
export const badReceivers: Fault = {
  name: 'bad-receivers',
  lastsMs: BAD_MS,
  duplicates: 'none',
  async strike({ ledger, tenants, random }) {
    for (const [i, behaviour] of Object.values(behaviours).entries()) {
      ledger.misbehave(tenants[i] as string, () => behaviour(random));
    }
    await delay(BAD_MS);
    ledger.behave();
  },
};

import { roles } from '#config/schema.ts';
import type { Fault } from '../fault.ts';
import { badReceivers } from './bad-receivers.ts';
import { killAllBrokers } from './kill-all-brokers.ts';
import { killBroker, killStreamLeader } from './kill-broker.ts';
import { killMongod } from './kill-mongod.ts';
import { killRole } from './kill-role.ts';
import { pauseBroker } from './pause-broker.ts';
import { pauseRole } from './pause-role.ts';

/** Every fault of `npm run test:chaos`, in the order in which they run. */
export const allFaults: readonly Fault[] = [
  ...roles.map(killRole),
  ...roles.map(pauseRole),
  killBroker,
  killStreamLeader,
  killAllBrokers,
  pauseBroker,
  killMongod,
  badReceivers,
];

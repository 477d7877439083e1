import { planes } from '#config/schema.ts';
import type { Fault } from '../fault.ts';
import { badReceivers } from './bad-receivers.ts';
import { cutZone } from './cut-zone.ts';
import { fillDisk } from './fill-disk.ts';
import { killAllBrokers } from './kill-all-brokers.ts';
import { killBroker, killStreamLeader } from './kill-broker.ts';
import { killRole } from './kill-role.ts';
import { killMongodPrimary, pauseMongodPrimary } from './mongod-primary.ts';
import { noFault } from './no-fault.ts';
import { pauseAllBrokers, pauseBroker, pauseStreamLeader } from './pause-broker.ts';
import { pauseRole } from './pause-role.ts';
import { stepClocks } from './step-clocks.ts';
import { stopWorker } from './stop-worker.ts';

/** Every fault of `npm run test:chaos`, in the order in which they run. */
export const allFaults: readonly Fault[] = [
  noFault,
  stopWorker,
  ...planes.map(killRole),
  ...planes.map(pauseRole),
  killBroker,
  killStreamLeader,
  killAllBrokers,
  pauseBroker,
  pauseStreamLeader,
  pauseAllBrokers,
  cutZone,
  fillDisk,
  stepClocks,
  killMongodPrimary,
  pauseMongodPrimary,
  badReceivers,
];

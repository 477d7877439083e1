import { planes } from '#config/schema.ts';
import type { Fault } from '../fault.ts';
import { badReceivers } from './bad-receivers.ts';
import { cutZone } from './cut-zone.ts';
import { fillDisk } from './fill-disk.ts';
import { killAllBrokers } from './brokers/kill-all-brokers.ts';
import { killBroker, killStreamLeader } from './brokers/kill-broker.ts';
import { killRole } from './processes/kill-role.ts';
import { killMongodPrimary, pauseMongodPrimary } from './mongod-primary.ts';
import { noFault } from './no-fault.ts';
import { pauseAllBrokers, pauseBroker, pauseStreamLeader } from './brokers/pause-broker.ts';
import { pauseRole } from './processes/pause-role.ts';
import { stepClocks } from './step-clocks.ts';
import { stopWorker } from './processes/stop-worker.ts';

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

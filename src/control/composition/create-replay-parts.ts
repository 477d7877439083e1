/** The parts that plan bulk actions, and run them (CT-6, CT-18). */
import type { History } from '#infra/mongo/documents.ts';
import {
  type PlanDocument,
  type ReplayDocument,
  replayStoreOf,
} from '#infra/mongo/replays/replay-store.ts';
import { WorkLeases } from '#infra/mongo/replays/work-leases.ts';
import { BacklogWait } from '#infra/nats/consume/backlog-wait.ts';
import type { Service } from '#infra/service.ts';
import { consumers } from '#wire/subjects.ts';
import type { DeliveryActions } from '../deliveries/delivery-actions.ts';
import { HeldDeliveries } from '../deliveries/held-deliveries.ts';
import type { CurrentLives } from '../lives/current-lives.ts';
import { CurrentMatches } from '../plans/current-matches.ts';
import { PlanCounter } from '../plans/plan-counter.ts';
import { Plans } from '../plans/plans.ts';
import { ActOnWaiting } from '../replays/actions/act-on-waiting.ts';
import { Discard } from '../replays/actions/discard.ts';
import { PublishedDeliveries } from '../replays/actions/published-deliveries.ts';
import { SendAgain } from '../replays/actions/send-again.ts';
import { NewDeliveries } from '../replays/new-deliveries.ts';
import { ReplayRunner } from '../replays/replay-runner.ts';
import { Replays } from '../replays/replays.ts';
import { Resends } from '../replays/resends.ts';
import type { ReplayParts } from '../replays/routes.ts';
import { StoredEvents } from '../replays/stored-events.ts';
import { WorkLoop } from '../replays/work-loop.ts';
import { type ControlDeps, managerOf } from './control-deps.ts';

/** Replays that a process works on at the same time. */
const REPLAYS_AT_ONCE = 4;

export interface ReplayServices {
  parts: Omit<ReplayParts, 'lives'>;
  services: Service[];
}

export function createReplays(
  deps: ControlDeps,
  history: History,
  actions: DeliveryActions,
  lives: CurrentLives,
): ReplayServices {
  const { settings, db, nc, config, payloads, publisher, records, clock, log } = deps;
  const { shards } = settings;
  const jsm = managerOf(nc);
  const store = replayStoreOf(db);
  const events = new StoredEvents({ history, payloads, jsm, shards });
  const deliveries = new NewDeliveries({ config, publisher, records });
  const held = new HeldDeliveries({ shards, jsm, publisher });
  const waiting = new ActOnWaiting({ history, actions, held });
  const matches = new CurrentMatches({ config, payloads, clock });
  const counter = new PlanCounter({ store, history, config, payloads, matches, clock });
  const runner = new ReplayRunner({
    store,
    actions: {
      replay: new SendAgain({
        history,
        events,
        deliveries,
        published: new PublishedDeliveries({ history, jsm, shards }),
        clock,
      }),
      cancel: waiting,
      release: waiting,
      discard: new Discard({ history, clock }),
    },
    lives,
    backlog: new BacklogWait({
      jsm,
      clock,
      deliveries: [consumers.deliverShared, consumers.deliverRepeats],
    }),
    shards,
    clock,
  });
  const counting = new WorkLoop<PlanDocument>({
    name: 'plans',
    leases: new WorkLeases({ collection: store.plans, open: { status: 'counting' }, clock }),
    work: (claimed, signal) => counter.work(claimed, signal),
    concurrency: 1,
    log,
  });
  const running = new WorkLoop<ReplayDocument>({
    name: 'replays',
    leases: new WorkLeases({ collection: store.replays, open: { status: 'running' }, clock }),
    work: (claimed, signal) => runner.work(claimed, signal),
    concurrency: REPLAYS_AT_ONCE,
    log,
  });
  const plans = new Plans({ store, clock, onCreated: () => counting.wake() });
  return {
    parts: {
      plans,
      replays: new Replays({ store, plans, clock, onWork: () => running.wake() }),
      resends: new Resends({ history, events, deliveries, clock }),
    },
    services: [counting, running],
  };
}

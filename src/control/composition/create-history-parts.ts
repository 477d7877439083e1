/** The parts that read the history, and act on deliveries and dead letters. */
import { ByteBudget } from '#domain/bounds/byte-budget.ts';
import { type History, historyOf } from '#infra/mongo/documents.ts';
import { type Configuration, configurationOf } from '#infra/mongo/configuration.ts';
import { issueStoreOf } from '#infra/mongo/issues/issues.ts';
import type { Service } from '#infra/service.ts';
import { DeliveryActions } from '../deliveries/delivery-actions.ts';
import { announceDeadLetters } from '../health/announce-dead-letters.ts';
import { OrderedHeads } from '../deliveries/ordered-heads.ts';
import { markIssues } from '../issues/mark-issues.ts';
import { DeadLetterActions } from '../dead-letters/actions.ts';
import { createDeadLetterProjector } from '../dead-letters/projector.ts';
import { DeadLetterReads } from '../dead-letters/reads.ts';
import { NewDeliveries } from '../replays/new-deliveries.ts';
import { EventExplanations } from '../history/event-explanations.ts';
import { HeldDeliveries } from '../deliveries/held-deliveries.ts';
import { DeliveryReads } from '../history/delivery-reads.ts';
import { EventReads } from '../history/event-reads.ts';
import { FairSearches } from '../history/fair-searches.ts';
import { PayloadReads } from '../history/payload-reads.ts';
import { SequenceStore } from '#infra/nats/stores/sequence-store.ts';
import type { CurrentLives } from '../lives/current-lives.ts';
import { Reconciliations } from '../sequences/reconciliations.ts';
import { HistoryLists } from '../search/history-lists.ts';
import type { SearchParts } from '../search/routes.ts';
import { SearchScopes } from '../search/search-scope.ts';
import { type ControlDeps, managerOf } from './control-deps.ts';
import type { Health } from './create-configuration-parts.ts';

export interface Reads {
  history: History;
  searches: FairSearches;
  events: EventReads;
  deliveries: DeliveryReads;
  payloads: PayloadReads;
  explanations: EventExplanations;
}

/** The parts that read the history. Their searches share the turns of tenants. */
export function createReads({
  settings,
  db,
  config,
  payloads,
  payloadLinks,
  clock,
}: ControlDeps): Reads {
  const history = historyOf(db);
  const searches = new FairSearches();
  const events = new EventReads({ history, config, searches });
  const payloadReads = new PayloadReads({
    store: payloads,
    links: payloadLinks,
    events,
    config,
    budget: new ByteBudget(settings.payloadMemoryBytesMax),
    clock,
  });
  return {
    history,
    searches,
    events,
    deliveries: new DeliveryReads({ history, config, searches, events }),
    payloads: payloadReads,
    explanations: new EventExplanations({ events, payloads: payloadReads, config, clock }),
  };
}

/** The lists and counts of the history. */
export function createSearch(
  { db, config, clock }: ControlDeps,
  { history, searches }: Reads,
  lives: CurrentLives,
): SearchParts {
  const configuration = configurationOf(db);
  return {
    lists: new HistoryLists({ history, searches, configuration, clock }),
    scopes: new SearchScopes({ lives, configuration }),
    eventData: { history, searches, config },
  };
}

/** The parts that read, replay, discard and store dead letters (DL-10). */
export function createDeadLetters(
  { db, nc, config, lives, publisher, records, registry, clock, log }: ControlDeps,
  { history, searches }: Reads,
  { disabling }: Health,
): { reads: DeadLetterReads; actions: DeadLetterActions; projector: Service } {
  const reads = new DeadLetterReads({ history, config, searches });
  const { store, operatorTenant, lives: currentLives } = disabling;
  const issueStore = issueStoreOf(db);
  const announcing = { store, operatorTenant, lives: currentLives, config, clock };
  return {
    reads,
    actions: new DeadLetterActions({
      history,
      reads,
      deliveries: new NewDeliveries({ config, publisher, records }),
      clock,
    }),
    projector: createDeadLetterProjector({
      clock,
      nc,
      history,
      lives,
      registry,
      log,
      announce: (letters) => announceDeadLetters(announcing, letters),
      markIssues: (letters) => markIssues(issueStore, letters, clock.wallMs()),
    }),
  };
}

export function createDeliveryActions(
  { settings, nc, config, publisher }: ControlDeps,
  deliveries: DeliveryReads,
  deadLetters: DeadLetterActions,
): DeliveryActions {
  const { shards } = settings;
  const jsm = managerOf(nc);
  return new DeliveryActions({
    shards,
    jsm,
    publisher,
    deliveries,
    deadLetters,
    held: new HeldDeliveries({ shards, jsm, publisher }),
    orderedHeads: new OrderedHeads({ nc, shards }),
    config,
  });
}

/** The part that lists the numbers of sequenced endpoints (DL-23). */
export function createReconciliations(
  { nc, publisher, clock }: ControlDeps,
  { history, searches }: Reads,
  configuration: Configuration,
  lives: CurrentLives,
): Reconciliations {
  const store = new SequenceStore({ publisher, jsm: managerOf(nc), now: clock.wallMs });
  return new Reconciliations({ configuration, lives, history, searches, store });
}

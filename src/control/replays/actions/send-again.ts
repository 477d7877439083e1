/**
 * Sends the items of a replay again. The id of each new delivery is computed from the replay and
 * the old delivery. A delivery that was never made gets the id that the router would give it, so no
 * other replay, nor the router, makes it twice.
 */
import type { Clock } from '#domain/clock.ts';
import { deliveryId } from '#domain/ids.ts';
import type { DeadLetterDocument, DeliveryDocument, History } from '#infra/mongo/documents.ts';
import type { PlanItem, ReplayDocument } from '#infra/mongo/replays/replay-store.ts';
import { eventOfLetter } from '../../dead-letters/actions.ts';
import type { ReplayLink } from '#wire/frames/delivery-frame.ts';
import type { NewDeliveries } from '../new-deliveries.ts';
import type { EventLoss, StoredEvent, StoredEvents } from '../stored-events.ts';
import type { Batch, BatchAction } from './batch.ts';
import type { PublishedDeliveries } from './published-deliveries.ts';

export interface SendAgainDeps {
  history: Pick<History, 'deliveries' | 'deadLetters'>;
  events: Pick<StoredEvents, 'findAll'>;
  deliveries: Pick<NewDeliveries, 'publish' | 'hasEndpoint'>;
  published: Pick<PublishedDeliveries, 'among'>;
  clock: Clock;
}

/** What the history knows now of the items of a batch. */
interface Known {
  letters: ReadonlyMap<string, DeadLetterDocument>;
  /** By event and endpoint. */
  deliveries: ReadonlyMap<string, Made[]>;
  events: ReadonlyMap<string, StoredEvent | EventLoss>;
  published: ReadonlySet<string>;
}

type Made = Pick<DeliveryDocument, '_id' | 'event' | 'endpoint' | 'state' | 'replay' | 'sequence'>;

export class SendAgain implements BatchAction {
  private readonly deps: SendAgainDeps;

  constructor(deps: SendAgainDeps) {
    this.deps = deps;
  }

  async apply(batch: Batch): Promise<string[]> {
    const known = await this.read(batch);
    return Promise.all(batch.items.map((item) => this.send(batch.replay, item, known)));
  }

  private async read({ replay, items, earlier }: Batch): Promise<Known> {
    const { history, events, published } = this.deps;
    const { tenant } = replay;
    const ids = items.map(([, , delivery]) => delivery).filter((id) => id !== '');
    const eventIds = items.map(([event]) => event);
    const letters = await history.deadLetters.find({ _id: { $in: ids }, tenant }).toArray();
    const made = await history.deliveries
      .find({ tenant, event: { $in: [...new Set(eventIds)] } })
      .project<Made>({ event: 1, endpoint: 1, state: 1, replay: 1, sequence: 1 })
      .toArray();
    const nextIds = items.map((item) => nextIdOf(replay, item));
    return {
      letters: new Map(letters.map((letter) => [letter._id, letter])),
      deliveries: Map.groupBy(made, ({ event, endpoint }) => `${endpoint}/${event}`),
      events: await events.findAll(tenant, eventIds),
      published:
        earlier === undefined ? new Set() : await published.among(tenant, nextIds, earlier),
    };
  }

  private async send(replay: ReplayDocument, item: PlanItem, known: Known): Promise<string> {
    const [event, endpoint, old] = item;
    const { tenant: lifeId } = replay;
    const id = nextIdOf(replay, item);
    const letter = known.letters.get(old);
    const fault = this.faultOf(replay, item, known, id);
    if (fault !== undefined) return fault;
    const found = storedEvent(letter, known.events.get(event));
    if (typeof found === 'string') return found;
    const link = linkOf(replay, item, known);
    if (!known.published.has(id)) {
      await this.deps.deliveries.publish({ lifeId, id, endpoint, event: found, link });
    }
    if (letter?.replayed_at === null) {
      await this.deps.history.deadLetters.updateOne(
        { _id: old, replayed_at: null, discarded_at: null },
        { $set: { replayed_at: new Date(this.deps.clock.wallMs()), replay: id } },
      );
    }
    return 'replayed';
  }

  /** Why an item that was listed is not sent again. */
  private faultOf(
    replay: ReplayDocument,
    [event, endpoint, old]: PlanItem,
    { letters, deliveries }: Known,
    id: string,
  ): string | undefined {
    if (!this.deps.deliveries.hasEndpoint(replay.tenant, endpoint)) return 'endpoint_deleted';
    const letter = letters.get(old);
    if (replay.kind === 'dead_letters') {
      if (letter === undefined) return 'dead_letter_expired';
      if (letter.discarded_at !== null) return 'discarded';
    }
    const isDecided = letter !== undefined && letter.replayed_at !== null && letter.replay !== id;
    if (isDecided && isForFailures(replay)) return 'already_replayed';
    if (!isForFailures(replay) && old !== '') return undefined;
    // A dead letter has failed, although the history may not show it yet.
    const others = (deliveries.get(`${endpoint}/${event}`) ?? []).filter(
      (made) => made._id !== id && (letter === undefined || made._id !== old),
    );
    const statuses = others.map(({ state }) => state.status);
    const settled = (['delivered', 'pending', 'held'] as const).find((each) =>
      statuses.includes(each),
    );
    if (settled !== undefined) return settled;
    // The router, or another replay, has created the delivery with this id.
    const same = (deliveries.get(`${endpoint}/${event}`) ?? []).find((made) => made._id === id);
    return same === undefined || same.replay === replay._id ? undefined : same.state.status;
  }
}

/** A delivery of a sequenced endpoint keeps its number. */
function linkOf({ _id: replay }: ReplayDocument, item: PlanItem, known: Known): ReplayLink {
  const [event, endpoint, old] = item;
  if (old === '') return { replay };
  const made = known.deliveries.get(`${endpoint}/${event}`)?.find(({ _id }) => _id === old);
  const sequence = made?.sequence ?? known.letters.get(old)?.sequence;
  return { replayOf: old, replay, ...(sequence === undefined ? {} : { sequence }) };
}

/** Kinds whose items are left out once the endpoint has got the event. */
function isForFailures({ kind }: ReplayDocument): boolean {
  return kind !== 'event' && kind !== 'range';
}

function nextIdOf({ _id: replay, tenant }: ReplayDocument, [event, endpoint, old]: PlanItem) {
  return deliveryId(tenant, event, endpoint, old === '' ? '' : `${old}\n${replay}`);
}

function storedEvent(
  letter: DeadLetterDocument | undefined,
  found: StoredEvent | EventLoss | undefined,
): StoredEvent | EventLoss {
  if (found === undefined || found === 'event_expired') {
    return (letter === undefined ? undefined : eventOfLetter(letter)) ?? 'event_expired';
  }
  return found;
}

import type { Clock } from '#domain/clock.ts';
import type { History } from '#infra/mongo/documents.ts';
import type { Batch, BatchAction } from './batch.ts';

/** Discards dead letters; each names the replay that discarded it. */
export class Discard implements BatchAction {
  private readonly deps: { history: Pick<History, 'deadLetters'>; clock: Clock };

  constructor(deps: { history: Pick<History, 'deadLetters'>; clock: Clock }) {
    this.deps = deps;
  }

  async apply({ replay, items }: Batch): Promise<string[]> {
    const { deadLetters } = this.deps.history;
    const ids = items.map(([, , id]) => id);
    const listed = { _id: { $in: ids }, tenant: replay.tenant };
    const gone = {
      discarded_at: new Date(this.deps.clock.wallMs()),
      discarded_by: replay._id,
      frame: null,
      last_attempt: null,
    };
    await deadLetters.updateMany({ ...listed, discarded_at: null }, { $set: gone });
    const letters = await deadLetters
      .find(listed)
      .project<{ _id: string; discarded_by?: string }>({ discarded_by: 1 })
      .toArray();
    const by = new Map(letters.map(({ _id, discarded_by }) => [_id, discarded_by]));
    return ids.map((id) => {
      if (!by.has(id)) return 'dead_letter_expired';
      return by.get(id) === replay._id ? 'discarded' : 'already_discarded';
    });
  }
}

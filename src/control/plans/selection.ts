import type { Document } from 'mongodb';
import type { PlanDocument, PlanSelection } from '#infra/mongo/replays/replay-store.ts';

/** The part of a plan that says which documents it examines. */
export type PlanScope = Pick<PlanDocument, 'tenant' | 'filter' | 'cut_off_at' | 'position'>;

/**
 * Builds the condition for the documents that a plan has not examined yet, for collections that
 * have the field `time` and the id as their order.
 *
 * @param fields the name of each filter's field in the collection
 */
export function unexamined(
  { tenant, filter, cut_off_at: before, position }: PlanScope,
  time: 'accepted_at' | 'at',
  fields: Readonly<Partial<Record<keyof PlanSelection, string>>>,
): Document {
  const conditions: Document[] = [{ tenant }, { [time]: { $lt: before } }];
  for (const [name, value] of Object.entries(filter)) {
    const field = fields[name as keyof PlanSelection];
    if (field !== undefined) conditions.push({ [field]: conditionOf(value) });
  }
  if (position !== null) {
    const [at, id] = position;
    // The first part lets MongoDB seek in the index.
    conditions.push(
      { [time]: { $gte: at } },
      { $or: [{ [time]: { $gt: at } }, { _id: { $gt: id } }] },
    );
  }
  return { $and: conditions };
}

function conditionOf(value: readonly string[] | { gte?: Date; lt?: Date }): Document {
  if (Array.isArray(value)) return { $in: value };
  const { gte, lt } = value as { gte?: Date; lt?: Date };
  return {
    ...(gte === undefined ? {} : { $gte: gte }),
    ...(lt === undefined ? {} : { $lt: lt }),
  };
}

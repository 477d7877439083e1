/**
 * Searches the data of events: text in MongoDB, filters in the language of subscriptions here.
 * Events of sensitive types are left out, so that no search reveals their data.
 */
import { setImmediate } from 'node:timers/promises';
import type { Clock } from '#domain/clock.ts';
import { type FieldError, PosthornError } from '#domain/errors.ts';
import { compileFilter } from '#domain/filter/compile-filter.ts';
import { filterDataFields, filterNeedsData } from '#domain/filter/needs-data.ts';
import { isPlainObject } from '#domain/filter/operators.ts';
import { validateFilter } from '#domain/filter/validate-filter.ts';
import { JsonTurns } from '#infra/json-turns.ts';
import type { Configuration } from '#infra/mongo/configuration.ts';
import type { EventDocument } from '#infra/mongo/documents.ts';
import { parseDataInSlices } from '#infra/parse-data-in-slices.ts';
import type { EventFilterQuery } from '#wire/api/search/event-list.ts';
import { eventForFilter, isBuiltInTurns } from '#wire/published/event-for-filter.ts';
import { filterableEvent } from '../history/filterable-event.ts';
import type { ListFilter } from './list-plan.ts';
import { literalPattern, requiredTexts } from './required-texts.ts';

/** Filters may be expensive: after this time, yield to the event loop. */
const AT_ONCE_MS = 5;
const AT = '#query/filter';

export interface PayloadFilterDeps {
  configuration: Pick<Configuration, 'eventTypes'>;
  clock: Pick<Clock, 'monotonicMs'>;
}

/** The comparisons with an event and its data. */
export interface PayloadFilter {
  filters: ListFilter[];
  matches?: (event: EventDocument) => Promise<boolean>;
}

export class PayloadFilters {
  private readonly deps: PayloadFilterDeps;
  private readonly turns = new JsonTurns();

  constructor(deps: PayloadFilterDeps) {
    this.deps = deps;
  }

  /** @throws PosthornError POSTHORN_FILTER_INVALID */
  async of({ 'data[contains]': text, filter: json }: EventFilterQuery): Promise<PayloadFilter> {
    const filter = json === undefined ? undefined : parseFilter(json);
    const filters: ListFilter[] = [];
    if (text !== undefined) {
      const data = { $regex: literalPattern(text) };
      filters.push({ name: 'data', condition: { kind: { $ne: 'binary' }, data }, values: 1 });
    }
    if (text !== undefined || (filter !== undefined && filterNeedsData(filter))) {
      filters.push(await this.notSensitive());
    }
    const required = filter === undefined ? undefined : requiredTexts(filter);
    if (required !== undefined) filters.push({ name: 'texts', condition: required, values: 1 });
    return filter === undefined ? { filters } : { filters, matches: this.matching(filter) };
  }

  /** Excludes events in MongoDB: comparing them here would take time that tells of a match. */
  private async notSensitive(): Promise<ListFilter> {
    const types = this.deps.configuration.eventTypes;
    const sensitive = await types.find({ sensitive: true }, { projection: { _id: 1 } }).toArray();
    const condition = { type: { $nin: sensitive.map(({ _id }) => _id) } };
    return { name: 'not_sensitive', condition, values: 1 };
  }

  private matching(filter: Record<string, unknown>): (event: EventDocument) => Promise<boolean> {
    const passes = compileFilter(filter);
    const fields = filterDataFields(filter);
    const { clock } = this.deps;
    let pauseMs = clock.monotonicMs() + AT_ONCE_MS;
    return async (event) => {
      if (clock.monotonicMs() >= pauseMs) {
        await setImmediate();
        pauseMs = clock.monotonicMs() + AT_ONCE_MS;
      }
      const filterable = filterableEvent(event, event.data);
      if (event.data === undefined || !isBuiltInTurns(filterable)) {
        return passes(eventForFilter(filterable, () => fields));
      }
      const data = Buffer.from(event.data);
      const value = await parseDataInSlices(this.turns, event.tenant, data, fields);
      return passes(eventForFilter(filterable, () => fields, { value }));
    };
  }
}

function parseFilter(json: string): Record<string, unknown> {
  let filter: unknown;
  try {
    filter = JSON.parse(json);
  } catch {
    throw invalid([{ pointer: AT, detail: 'must be JSON' }]);
  }
  if (!isPlainObject(filter)) throw invalid([{ pointer: AT, detail: 'must be an object' }]);
  const faults = validateFilter(filter);
  if (faults.length === 0) return filter;
  throw invalid(faults.map(({ pointer, detail }) => ({ pointer: `${AT}${pointer}`, detail })));
}

function invalid(fields: FieldError[]): PosthornError {
  const [first] = fields;
  return new PosthornError('POSTHORN_FILTER_INVALID', {
    detail: `${first?.pointer} ${first?.detail}`,
    fields,
  });
}

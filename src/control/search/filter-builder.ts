/** Builds the filters of a list from the fields of a query. */
import { type FieldError, PosthornError } from '#domain/errors.ts';
import type { responseClasses } from '#wire/api/search/search-fields.ts';
import { queryRange } from '../history/time-range.ts';
import type { ListFilter } from './list-plan.ts';

type Query = Readonly<Record<string, unknown>>;

export class FilterBuilder {
  readonly filters: ListFilter[] = [];
  private readonly query: Query;

  constructor(query: object) {
    this.query = query as Query;
  }

  add(name: string, condition: object, values = 1): this {
    this.filters.push({ name, condition, values });
    return this;
  }

  /** The field has one of the values that the query names. */
  oneOf(name: string, field: string): this {
    const values = this.query[name] as readonly unknown[] | undefined;
    if (values === undefined) return this;
    const distinct = [...new Set(values)];
    return this.add(name, { [field]: { $in: distinct } }, distinct.length);
  }

  /** The field is a time of the range. @throws PosthornError POSTHORN_REQUEST_INVALID */
  during(name: string, field: string): this {
    const range = queryRange(this.query, name);
    return range === undefined ? this : this.add(name, { [field]: range });
  }

  /** The value of an expression or a field is in the range. */
  within(name: string, toConditions: (operator: '$gte' | '$lt', bound: number) => object): this {
    const gte = this.query[`${name}[gte]`] as number | undefined;
    const lt = this.query[`${name}[lt]`] as number | undefined;
    if (gte !== undefined) this.add(`${name}[gte]`, toConditions('$gte', gte));
    if (lt !== undefined) this.add(`${name}[lt]`, toConditions('$lt', lt));
    return this;
  }

  /** The HTTP status of a response, by code and by class. */
  response(field: string): this {
    this.oneOf('response_status', field);
    const classes = this.query['response_class'] as
      | readonly (typeof responseClasses)[number][]
      | undefined;
    if (classes === undefined) return this;
    const codes = [...new Set(classes)].flatMap((each) => codesOf(Number(each[0]) * 100));
    const condition = { [field]: { $in: codes } };
    // The index of codes serves a class too, if no code narrows it.
    const hasCodes = this.query['response_status'] !== undefined;
    return this.add(hasCodes ? 'response_class' : 'response_status', condition, codes.length);
  }
}

function codesOf(first: number): number[] {
  return Array.from({ length: 100 }, (_, i) => first + i);
}

/** @throws PosthornError POSTHORN_REQUEST_INVALID */
export function requireField(name: string, detail: string): never {
  const fields: FieldError[] = [{ pointer: `#query/${name}`, detail }];
  throw new PosthornError('POSTHORN_REQUEST_INVALID', { fields });
}

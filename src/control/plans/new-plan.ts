/** Checks the request for a plan, and turns it into the document that is counted. */
import { type FieldError, PosthornError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import { filtersOfKind, filtersRequiredByKind, kindsOfAction } from '#domain/replay/plan-kinds.ts';
import type { PlanDocument, PlanSelection } from '#infra/mongo/replays/replay-store.ts';
import type { NewPlan, PlanFilter } from '#wire/api/replays/plan.ts';

/** @throws PosthornError POSTHORN_REQUEST_INVALID */
export function planOf(id: string, lifeId: string, request: NewPlan, nowMs: number): PlanDocument {
  const fields = faultsOf(request);
  const filter = selectionOf(request.filter ?? {}, fields);
  if (fields.length > 0) throw new PosthornError('POSTHORN_REQUEST_INVALID', { fields });
  const now = new Date(nowMs);
  const expiresMs = nowMs + limits.planKeptSeconds * 1000;
  return {
    _id: id,
    tenant: lifeId,
    action: request.action,
    kind: request.kind,
    filter,
    per_second: request.per_second ?? limits.replayPerSecondDefault,
    status: 'counting',
    cut_off_at: now,
    chunks: 0,
    count: 0,
    examined: 0,
    oldest_at: null,
    newest_at: null,
    left_out: {},
    more: false,
    position: null,
    served_at: now,
    created_at: now,
    expires_at: new Date(expiresMs),
    // Until then its answer says that it has expired.
    removed_at: new Date(expiresMs + limits.planKeptSeconds * 1000),
  };
}

function faultsOf({ action, kind, filter = {}, all }: NewPlan): FieldError[] {
  const faults: FieldError[] = [];
  const kinds = kindsOfAction[action];
  if (!kinds.includes(kind)) {
    faults.push({ pointer: '/kind', detail: `must be ${kinds.join(' or ')} for ${action}` });
  }
  const names = filtersOfKind[kind];
  for (const name of Object.keys(filter)) {
    if (names.includes(name)) continue;
    const detail = `is no filter of ${kind}: those are ${names.join(', ')}`;
    faults.push({ pointer: `/filter/${name}`, detail });
  }
  const required = filtersRequiredByKind[kind];
  if (required !== undefined && !Object.hasOwn(filter, required)) {
    faults.push({ pointer: `/filter/${required}`, detail: 'is required' });
  }
  const isEmpty = Object.keys(filter).length === 0;
  if (isEmpty && all !== true && required === undefined) {
    faults.push({ pointer: '/all', detail: 'must be true to select everything without a filter' });
  }
  if (!isEmpty && all === true) {
    faults.push({ pointer: '/all', detail: 'must be absent if there is a filter' });
  }
  return faults;
}

function selectionOf(filter: PlanFilter, faults: FieldError[]): PlanSelection {
  const selection: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(filter)) {
    if (typeof value === 'string') selection[name] = [value];
    else if (Array.isArray(value)) selection[name] = value;
    else selection[name] = rangeOf(value, `/filter/${name}`, faults);
  }
  return selection;
}

function rangeOf(
  range: { gte?: string; lt?: string },
  pointer: string,
  faults: FieldError[],
): { gte?: Date; lt?: Date } {
  const dates: { gte?: Date; lt?: Date } = {};
  for (const bound of ['gte', 'lt'] as const) {
    const text = range[bound];
    if (text === undefined) continue;
    const date = new Date(text);
    if (!Number.isNaN(date.getTime())) dates[bound] = date;
    else {
      const detail = 'must be a time like 2026-01-31T12:00:00Z (RFC 3339)';
      faults.push({ pointer: `${pointer}/${bound}`, detail });
    }
  }
  return dates;
}

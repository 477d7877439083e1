import { PosthornError } from '#domain/errors.ts';
import { isOperationalType } from '#domain/event/event-type.ts';
import { compileSchema, type DataValidator } from '#domain/json-schema/compile-schema.ts';
import { limits } from '#domain/limits.ts';
import type { FieldError } from '#domain/errors.ts';
import type { Priority } from '#domain/event/priority.ts';
import type { EventTypePolicy } from '#domain/tenant.ts';
import type { ConfigView, EventTypeSnapshot, TenantSnapshot } from '#wire/config-snapshot.ts';
import type { EventInput } from './event-input.ts';

/** The schema of a type, compiled and as JSON. */
export interface CompiledSchema {
  validate: DataValidator;
  json: string;
}

/**
 * Returns the faults of data that is too large, or takes too long, to be checked immediately;
 * pointers start with `/data`.
 *
 * @param owner whose turn the check takes
 * @param data JSON text
 */
export type CheckLarge = (
  owner: string,
  schema: CompiledSchema,
  data: Buffer | string,
) => Promise<FieldError[]>;

export interface AdmissionDeps {
  config: Pick<ConfigView, 'eventType'>;
  /** For tenants without their own policy. */
  policy: EventTypePolicy;
  checkLarge: CheckLarge;
}

/**
 * Decides whether a readable event is admitted (IN-5): by its type, and `data` by the schema.
 * Ingress and the dry run share it, so that they refuse the same events with the same errors.
 */
export class Admission {
  private readonly deps: AdmissionDeps;
  private readonly schemas = new WeakMap<EventTypeSnapshot, CompiledSchema>();

  constructor(deps: AdmissionDeps) {
    this.deps = deps;
  }

  /**
   * Returns the priority of the event: its own, else that of its type. Synchronous unless its data
   * is large or takes long to check: a thread then checks it, tenants in turns.
   *
   * @param owner whose turn the check takes
   * @param at JSON pointer of the event, with the slash after it
   * @throws PosthornError naming each fault, or rejects with it
   */
  admit(
    owner: string,
    tenant: Pick<TenantSnapshot, 'eventTypePolicy'>,
    input: EventInput,
    at = '/',
  ): Priority | Promise<Priority> {
    if (isOperationalType(input.type)) {
      const detail = 'begins with "posthorn.": those are the events of the platform itself';
      throw new PosthornError('POSTHORN_EVENT_INVALID', {
        fields: [{ pointer: `${at}type`, detail }],
      });
    }
    const type = this.deps.config.eventType(input.type);
    if (type === undefined) {
      if ((tenant.eventTypePolicy ?? this.deps.policy) === 'auto')
        return input.priority ?? 'normal';
      throw new PosthornError('POSTHORN_EVENT_TYPE_UNKNOWN', {
        fields: [{ pointer: `${at}type`, detail: `${input.type} is not registered` }],
      });
    }
    if (type.state !== 'ACTIVE') {
      throw new PosthornError('POSTHORN_EVENT_TYPE_INACTIVE', {
        fields: [{ pointer: `${at}type`, detail: `${input.type} is inactive` }],
      });
    }
    const priority = input.priority ?? type.priority ?? 'normal';
    if (type.schema === undefined) return priority;
    const faults = this.validate(owner, type, type.schema, input);
    if (Array.isArray(faults)) return admitted(priority, faults, at);
    return faults.then((found) => admitted(priority, found, at));
  }

  /** Whether the type of an admitted event is not registered. */
  isAutomatic({ type }: Pick<EventInput, 'type'>): boolean {
    return this.deps.config.eventType(type) === undefined;
  }

  private validate(
    owner: string,
    type: EventTypeSnapshot,
    schema: Record<string, unknown>,
    input: EventInput,
  ): FieldError[] | Promise<FieldError[]> {
    if (input.kind !== 'json') {
      return [{ pointer: '/data', detail: `must be JSON: ${type.name} has a schema` }];
    }
    let compiled = this.schemas.get(type);
    if (compiled === undefined) {
      compiled = { validate: compileSchema(schema), json: JSON.stringify(schema) };
      this.schemas.set(type, compiled);
    }
    const { data } = input;
    // Hostile data costs `JSON.parse` and the validator up to 20 times what its size suggests.
    const isSmall = data.length <= limits.schemaAtOnceBytesMax;
    const faults = isSmall ? compiled.validate.atOnce(JSON.parse(data.toString())) : undefined;
    return faults ?? this.deps.checkLarge(owner, compiled, data);
  }
}

/** @throws PosthornError POSTHORN_EVENT_DATA_INVALID if there are faults */
function admitted(priority: Priority, faults: FieldError[], at: string): Priority {
  if (faults.length === 0) return priority;
  const fields = faults.map(({ pointer, detail }) => ({ pointer: at + pointer.slice(1), detail }));
  throw new PosthornError('POSTHORN_EVENT_DATA_INVALID', { fields });
}

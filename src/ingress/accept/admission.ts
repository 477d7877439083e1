import { PosthornError } from '#domain/errors.ts';
import { isOperationalType } from '#domain/event/event-type.ts';
import { compileSchema } from '#domain/json-schema/compile-schema.ts';
import type { FieldError } from '#domain/errors.ts';
import type { Priority } from '#domain/event/priority.ts';
import type { EventTypePolicy } from '#domain/tenant.ts';
import type { ConfigView, EventTypeSnapshot, TenantSnapshot } from '#wire/config-snapshot.ts';
import type { EventInput } from '#wire/published/event-input.ts';

/** Decides whether a readable event is admitted (IN-5): by its type, and `data` by the schema. */
export class Admission {
  private readonly config: ConfigView;
  private readonly policy: EventTypePolicy;
  private readonly validators = new WeakMap<EventTypeSnapshot, (data: unknown) => FieldError[]>();

  constructor(deps: { config: ConfigView; policy: EventTypePolicy }) {
    this.config = deps.config;
    this.policy = deps.policy;
  }

  /**
   * @returns the priority of the event: its own, else that of its type
   * @throws PosthornError naming each fault
   */
  admit(tenant: Pick<TenantSnapshot, 'eventTypePolicy'>, input: EventInput): Priority {
    if (isOperationalType(input.type)) {
      const detail = 'begins with "posthorn.": those are the events of the platform itself';
      throw new PosthornError('POSTHORN_EVENT_INVALID', { fields: [{ pointer: '/type', detail }] });
    }
    const type = this.config.eventType(input.type);
    if (type === undefined) {
      if ((tenant.eventTypePolicy ?? this.policy) === 'auto') return input.priority ?? 'normal';
      throw new PosthornError('POSTHORN_EVENT_TYPE_UNKNOWN', {
        fields: [{ pointer: '/type', detail: `${input.type} is not registered` }],
      });
    }
    if (type.state !== 'ACTIVE') {
      throw new PosthornError('POSTHORN_EVENT_TYPE_INACTIVE', {
        fields: [{ pointer: '/type', detail: `${input.type} is inactive` }],
      });
    }
    const fields = type.schema === undefined ? [] : this.validate(type, input);
    if (fields.length > 0) throw new PosthornError('POSTHORN_EVENT_DATA_INVALID', { fields });
    return input.priority ?? type.priority ?? 'normal';
  }

  private validate(type: EventTypeSnapshot, input: EventInput): FieldError[] {
    if (input.kind !== 'json') {
      return [{ pointer: '/data', detail: `must be JSON: ${type.name} has a schema` }];
    }
    let validator = this.validators.get(type);
    if (validator === undefined) {
      validator = compileSchema(type.schema as Record<string, unknown>);
      this.validators.set(type, validator);
    }
    return validator(JSON.parse(input.data.toString()));
  }
}

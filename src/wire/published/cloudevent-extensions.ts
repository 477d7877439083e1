import type { FieldError } from '#domain/errors.ts';
import { childPointer } from '#domain/json-pointer.ts';
import { limits } from '#domain/limits.ts';
import type { ExtensionValue } from '#wire/frames/event-frame.ts';
import { NOT_UNICODE } from './event-input.ts';

/** Our extension attribute: `high` or `normal` (IN-11). */
export const PRIORITY = 'posthornpriority';
/** Prefix of pointers to attributes in headers. */
export const HEADERS_AT = '#header/ce-';

/** In binary mode the body is the data, and the header `content-type` its media type. */
const RESERVED = new Set(['data', 'datacontenttype']);
const nameMax = limits.eventExtensionNameLengthMax;
/** CloudEvents 1.0.2, "naming conventions": over 20 characters is discouraged, not forbidden. */
const NAME = new RegExp(`^[a-z0-9]{1,${nameMax}}$`);

/**
 * Collects extension attributes and their faults. Rejects integers that a double does not represent
 * exactly: they would arrive as other numbers.
 */
export class Extensions {
  private readonly values: Record<string, ExtensionValue> = {};
  private readonly at: string;
  private readonly faults: FieldError[];
  private count = 0;

  /** @param at JSON pointer of the object that holds them, or `HEADERS_AT` */
  constructor(at: string, faults: FieldError[]) {
    this.at = at;
    this.faults = faults;
  }

  add(name: string, value: unknown): void {
    const detail = this.faultOf(name, value);
    if (detail === undefined) {
      this.values[name] = value as ExtensionValue;
      this.count++;
    } else {
      const { at } = this;
      const pointer = at === HEADERS_AT ? at + name : childPointer(at.slice(0, -1), name);
      this.faults.push({ pointer, detail });
    }
  }

  get priority(): ExtensionValue | undefined {
    return this.values[PRIORITY];
  }

  /** Spread into an event, so that an event without extensions has no `ext`. */
  get ext(): { ext?: Record<string, ExtensionValue> } {
    return this.count === 0 ? {} : { ext: this.values };
  }

  private faultOf(name: string, value: unknown): string | undefined {
    if (RESERVED.has(name)) return 'cannot be the name of an extension';
    if (!NAME.test(name)) {
      return `must be named by 1 to ${nameMax} lower-case letters and digits`;
    }
    if (this.count >= limits.eventExtensionsMax) {
      return `at most ${limits.eventExtensionsMax} extensions are accepted`;
    }
    const most = limits.eventExtensionValueLengthMax;
    if (typeof value === 'boolean' || Number.isSafeInteger(value)) return undefined;
    if (typeof value === 'string' && value.length <= most) {
      return value.isWellFormed() ? undefined : NOT_UNICODE;
    }
    return `must be a boolean, an integer within ±(2^53 - 1) or a string of at most ${most} characters`;
  }
}

import { isOperationalType } from '#domain/event/event-type.ts';

/**
 * Values by event type selectors (`order.created`, `order.*`, `*`). A look-up takes one map access
 * for each segment of the event's type, however many selectors there are.
 */
export class SelectorMap<T> {
  private readonly exact = new Map<string, T[]>();
  /** By the part before the star: `order.*` is under `order.`, `*` under the empty string. */
  private readonly prefixes = new Map<string, T[]>();

  add(selector: string, value: T): void {
    if (selector.endsWith('*')) append(this.prefixes, selector.slice(0, -1), value);
    else append(this.exact, selector, value);
  }

  /**
   * The lists of values whose selectors match the type; a value is in each list it was added to.
   */
  lookUp(type: string): readonly (readonly T[])[] {
    const lists: T[][] = [];
    push(lists, this.exact.get(type));
    // `*` means all of the tenant's own events, not the platform's operational events.
    if (!isOperationalType(type)) push(lists, this.prefixes.get(''));
    for (let dot = type.indexOf('.'); dot >= 0; dot = type.indexOf('.', dot + 1)) {
      push(lists, this.prefixes.get(type.slice(0, dot + 1)));
    }
    return lists;
  }
}

function append<T>(map: Map<string, T[]>, key: string, value: T): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}

function push<T>(lists: T[][], list: T[] | undefined): void {
  if (list !== undefined) lists.push(list);
}

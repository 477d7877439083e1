/**
 * Validates a JSON text (RFC 8259) and finds parts of it without building a value. It reads once
 * from start to end and can pause almost anywhere, so that the event loop can run other work while
 * a large text is read.
 *
 * `JSON.parse` needs up to seconds for some texts of a few megabytes (2 million `[`, objects with
 * ever new names) and reports a syntax fault only at the end. The scanner costs about the same for
 * each byte and stops at the first one beyond a bound. Within the bounds it accepts the same texts
 * as `JSON.parse`. Parts keep their producer's spelling: numbers too large for a double, escapes,
 * order and repetition of members.
 */
import { childPointer } from '#domain/json-pointer.ts';
import { limits } from '#domain/limits.ts';
import { type JsonBounds, jsonBounds } from './json-bounds.ts';
import { JsonFault } from './json-fault.ts';
import { type Frame, mayBeWanted, newFrame } from './json-frame.ts';
import { type JsonNode, LEAF, type Wanted, newNode } from './json-outline.ts';
import {
  BACKSLASH,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COLON,
  COMMA,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
  SPACE,
  endOfEscape,
  endOfLiteral,
  endOfNumber,
  firstCharacter,
  isSpace,
} from './json-tokens.ts';
import { NameCounter } from './name-counter.ts';

/** The next expected token. The order counts: `read` compares. */
const VALUE = 0;
const ELEMENT_OR_END = 1;
const NAME = 2;
const NAME_OR_END = 3;
const NAME_SEPARATOR = 4;
const AFTER_VALUE = 5;
const REST_OF_STRING = 6;
const REST_OF_NAME = 7;

/** V8 keeps typed arrays up to 64 bytes on its heap; a longer one is allocated outside it. */
const USUAL_DEPTH = 64;

export class JsonScanner {
  private readonly bytes: Buffer;
  private readonly wanted: Wanted;
  private readonly bounds: JsonBounds;
  private readonly names: NameCounter;
  /** For each open container: 1 for an object. Replaced by a longer one in deeply nested texts. */
  private kinds: Uint8Array;
  private readonly frames: Frame[] = [];
  /** The number of containers around wanted values; -1 if there are none. */
  private wantedLevel = 0;
  private at = 0;
  private next = VALUE;
  private level = 0;
  private values = 0;
  private containers = 0;
  private nameStart = 0;
  /** Whether the current string has an escape. */
  private hasEscape = false;
  /** Name of the next or current child in the innermost frame; undefined if it is not wanted. */
  private name: string | undefined;
  private root: JsonNode | undefined;
  /** The current value, if it is wanted without its children. */
  private leaf: JsonNode | undefined;
  private leafLevel = 0;
  private deepest = 0;

  /**
   * @param bytes UTF-8, checked by the caller
   * @param wanted the parts to find
   */
  constructor(bytes: Buffer, wanted: Wanted = LEAF, bounds: JsonBounds = jsonBounds(bytes.length)) {
    this.bytes = bytes;
    this.wanted = wanted;
    this.bounds = bounds;
    this.names = new NameCounter(bounds.namesMax);
    this.kinds = new Uint8Array(Math.min(bounds.depthMax, USUAL_DEPTH));
  }

  /** Number of bytes read. */
  get position(): number {
    return this.at;
  }

  /** The wanted parts, once the whole text is read. */
  get outline(): JsonNode {
    const root = this.root as JsonNode;
    root.members = this.names.total;
    return root;
  }

  /**
   * Continues for about `length` bytes.
   *
   * @returns whether the whole text is read
   * @throws JsonFault
   */
  read(length: number = this.bytes.length): boolean {
    const { bytes } = this;
    const end = Math.min(bytes.length, this.at + length);
    let i = this.at;
    while (i < end) {
      const { next } = this;
      if (next >= REST_OF_STRING) i = this.readString(i, end);
      else {
        const code = bytes[i] as number;
        if (code <= SPACE && isSpace(code)) i++;
        else if (next === AFTER_VALUE) i = this.readAfterValue(code, i);
        else if (next <= ELEMENT_OR_END) i = this.readValue(code, i);
        else if (next === NAME_SEPARATOR) i = this.readNameSeparator(code, i);
        else i = this.readName(code, i);
      }
    }
    this.at = i;
    if (i < bytes.length) return false;
    if (this.next !== AFTER_VALUE || this.level > 0) throw this.unexpected(i);
    return true;
  }

  private readValue(code: number, at: number): number {
    if (code === CLOSE_BRACKET && this.next === ELEMENT_OR_END) return this.close(at);
    if (++this.values > this.bounds.valuesMax) {
      throw this.beyond(`has more than ${this.bounds.valuesMax} values`);
    }
    if (this.level === this.wantedLevel) this.beginWanted(code, at);
    if (code === QUOTE) {
      this.next = REST_OF_STRING;
      return at + 1;
    }
    if (code === OPEN_BRACE || code === OPEN_BRACKET) return this.open(code, at);
    const { bytes } = this;
    const most = limits.jsonNumberLengthMax;
    const end = code >= 97 ? endOfLiteral(bytes, at) : endOfNumber(bytes, at, most);
    if (end < 0) throw this.unexpected(at);
    if (end - at > most) {
      throw this.beyond(`has a number of more than ${most} characters; send it as a string`);
    }
    return this.endValue(end);
  }

  private open(code: number, at: number): number {
    const { depthMax, containersMax } = this.bounds;
    if (this.level === depthMax) throw this.beyond(`must not be nested deeper than ${depthMax}`);
    if (++this.containers > containersMax) {
      throw this.beyond(`has more than ${containersMax} arrays and objects`);
    }
    if (this.level === this.kinds.length) this.kinds = longer(this.kinds, depthMax);
    const isObject = code === OPEN_BRACE;
    this.kinds[this.level++] = isObject ? 1 : 0;
    if (this.level > this.deepest) this.deepest = this.level;
    this.next = isObject ? NAME_OR_END : ELEMENT_OR_END;
    return at + 1;
  }

  private close(at: number): number {
    this.level--;
    if (this.frames.length > this.level) this.endFrame(at + 1);
    return this.endValue(at + 1);
  }

  private endValue(end: number): number {
    const { level } = this;
    if (this.leaf !== undefined && level === this.leafLevel) this.endLeaf(this.leaf, end);
    // Saves a step for most values.
    if (level > 0 && this.bytes[end] === COMMA) {
      this.next = this.kinds[level - 1] === 1 ? NAME : VALUE;
      return end + 1;
    }
    this.next = AFTER_VALUE;
    return end;
  }

  private endLeaf(leaf: JsonNode, end: number): void {
    leaf.end = end;
    leaf.depth = this.deepest - this.leafLevel;
    this.leaf = undefined;
  }

  private readAfterValue(code: number, at: number): number {
    if (this.level === 0) throw this.unexpected(at);
    const isObject = this.kinds[this.level - 1] === 1;
    if (code === COMMA) {
      this.next = isObject ? NAME : VALUE;
      return at + 1;
    }
    if (code !== (isObject ? CLOSE_BRACE : CLOSE_BRACKET)) throw this.unexpected(at);
    return this.close(at);
  }

  private readName(code: number, at: number): number {
    if (code === CLOSE_BRACE && this.next === NAME_OR_END) return this.close(at);
    if (code !== QUOTE) throw this.unexpected(at);
    this.nameStart = at + 1;
    this.hasEscape = false;
    this.next = REST_OF_NAME;
    return at + 1;
  }

  private readNameSeparator(code: number, at: number): number {
    if (code !== COLON) throw this.unexpected(at);
    this.next = VALUE;
    return at + 1;
  }

  private readString(at: number, end: number): number {
    const { bytes } = this;
    let i = at;
    while (i < end) {
      const code = bytes[i] as number;
      if (code > BACKSLASH || (code >= SPACE && code !== QUOTE && code !== BACKSLASH)) i++;
      else if (code === QUOTE) {
        if (this.next !== REST_OF_NAME) return this.endValue(i + 1);
        this.endName(i);
        return i + 1;
      } else {
        const after = code === BACKSLASH ? endOfEscape(bytes, i) : -1;
        if (after < 0) throw this.unexpected(i);
        this.hasEscape = true;
        i = after;
      }
    }
    return i;
  }

  private endName(end: number): void {
    const { bytes, nameStart } = this;
    this.next = NAME_SEPARATOR;
    if (!this.names.add(bytes, nameStart, end)) {
      throw this.beyond(`has more than ${this.bounds.namesMax} different names of members`);
    }
    if (this.level !== this.wantedLevel) return;
    if (!mayBeWanted(this.frames.at(-1) as Frame, end - nameStart, this.hasEscape)) {
      this.name = undefined;
      return;
    }
    // No reader wants longer names: they appear only in messages to the sender.
    if (end - nameStart > limits.jsonNameKeptLengthMax) {
      this.name = shortened(bytes, nameStart);
      return;
    }
    const raw = bytes.toString('utf8', nameStart, end);
    this.name = raw.includes('\\') ? (JSON.parse(`"${raw}"`) as string) : raw;
  }

  /** The whole text, or a child of the innermost frame. */
  private beginWanted(code: number, at: number): void {
    const frame = this.frames.at(-1);
    if (frame === undefined) {
      this.root = newNode(at);
      this.beginNode(this.root, this.wanted, code);
      return;
    }
    const { node } = frame;
    if (node.count++ === frame.most) {
      this.wantedLevel = -1;
      return;
    }
    if (!frame.isObject) this.name = String(node.count - 1);
    const { name } = this;
    if (name === undefined) return;
    const wanted = frame.wanted.named?.get(name) ?? frame.wanted.each;
    if (wanted === undefined) return;
    if (node.children.has(name)) {
      // No reader uses an object with a repeated name.
      node.repeated = name;
      this.wantedLevel = -1;
      return;
    }
    const child = newNode(at);
    node.children.set(name, child);
    this.beginNode(child, wanted, code);
  }

  private beginNode(node: JsonNode, wanted: Wanted, code: number): void {
    const isObject = code === OPEN_BRACE;
    if (!(isObject || code === OPEN_BRACKET) || (wanted.each ?? wanted.named) === undefined) {
      this.leaf = node;
      this.leafLevel = this.level;
      this.deepest = this.level;
      return;
    }
    this.frames.push(newFrame(node, wanted, isObject, this.name));
    this.wantedLevel = this.frames.length;
  }

  private endFrame(end: number): void {
    (this.frames.pop() as Frame).node.end = end;
    this.wantedLevel = this.frames.length;
  }

  private unexpected(at: number): JsonFault {
    const detail =
      at >= this.bytes.length
        ? 'the text ends too early'
        : `unexpected ${JSON.stringify(firstCharacter(this.bytes, at))} at byte ${at}`;
    return new JsonFault('syntax', detail, this.pointer());
  }

  private beyond(detail: string): JsonFault {
    return new JsonFault('bound', detail, this.pointer());
  }

  private pointer(): string {
    const [, ...inner] = this.frames;
    const pointer = inner.reduce((at, { name = '' }) => childPointer(at, name), '');
    const isChild = this.leaf !== undefined && this.frames.length > 0 && this.name !== undefined;
    return isChild ? childPointer(pointer, this.name as string) : pointer;
  }
}

function longer(kinds: Uint8Array, length: number): Uint8Array {
  const copy = new Uint8Array(length);
  copy.set(kinds);
  return copy;
}

/** As written, cut off; longer than any name that is kept whole. */
function shortened(bytes: Buffer, start: number): string {
  return `${bytes.toString('utf8', start, start + limits.jsonNameKeptLengthMax)}…`;
}

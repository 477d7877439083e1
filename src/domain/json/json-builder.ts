/**
 * Builds the value of a JSON text in slices, so that the event loop can run other work in between.
 * Some texts cost `JSON.parse` 20 times what their length suggests: objects with ever new names, or
 * millions of empty ones. The builder finds the boundaries of values and passes pieces of about
 * `PIECE_BYTES` to `JSON.parse`, which then need a few ms each. The result is the same.
 *
 * A container that is longer than a piece is opened, and filled piece by piece. A string is never
 * cut: its cost is in proportion to its length.
 */
import {
  BACKSLASH,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COMMA,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
} from './json-tokens.ts';

const PIECE_BYTES = 64 * 1024;

/** A container that is being filled. */
interface Filling {
  target: unknown[] | Record<string, unknown>;
  isObject: boolean;
}

/** An open container inside the current piece. */
interface Open {
  at: number;
  isObject: boolean;
  /** Start of the member or element that it is. */
  memberAt: number;
}

export class JsonBuilder {
  private readonly bytes: Buffer;
  private readonly root: unknown[] = [];
  /** The outermost containers; a piece belongs to the last. */
  private readonly fillings: Filling[] = [{ target: this.root, isObject: false }];
  /** The containers below them. */
  private opens: Open[] = [];
  private at = 0;
  private pieceAt = 0;
  private memberAt = 0;
  private inString = false;

  /** @param bytes a JSON text in UTF-8 that was validated before */
  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  /** The value, once `read` has returned true. */
  get value(): unknown {
    return this.root[0];
  }

  /**
   * Continues for about `length` bytes, longer strings apart.
   *
   * @returns whether the value is complete
   * @throws SyntaxError
   */
  read(length: number = this.bytes.length): boolean {
    const { bytes } = this;
    const end = Math.min(bytes.length, this.at + length);
    let i = this.at;
    for (; i < end; i++) {
      const code = bytes[i] as number;
      if (this.inString) {
        if (code === BACKSLASH) i++;
        else if (code === QUOTE) this.inString = false;
      } else if (code === QUOTE) this.inString = true;
      else if (code === OPEN_BRACE || code === OPEN_BRACKET) this.open(i, code === OPEN_BRACE);
      else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) this.close(i);
      else if (code === COMMA) this.endMember(i);
    }
    this.at = i;
    if (i < bytes.length) return false;
    if (this.fillings.length > 1) throw new SyntaxError('unexpected end of the text');
    this.addPiece(bytes.length);
    return true;
  }

  private open(at: number, isObject: boolean): void {
    this.opens.push({ at, isObject, memberAt: this.memberAt });
    this.memberAt = at + 1;
    while (at - this.pieceAt >= PIECE_BYTES && this.opens.length > 0) this.fillOutermost();
  }

  private close(at: number): void {
    const open = this.opens.pop();
    if (open !== undefined) {
      this.memberAt = open.memberAt;
      return;
    }
    this.addPiece(at);
    this.fillings.pop();
    if (this.fillings.length === 0) throw new SyntaxError('unexpected end of a container');
    this.pieceAt = at + 1;
  }

  private endMember(at: number): void {
    if (at - this.pieceAt >= PIECE_BYTES) {
      while (this.opens.length > 0 && at - this.pieceAt >= PIECE_BYTES) this.fillOutermost();
      if (this.opens.length === 0) this.addPiece(at);
    }
    this.memberAt = at + 1;
  }

  /** Opens the outermost container of the piece, and adds the members before it. */
  private fillOutermost(): void {
    const { at, isObject, memberAt } = this.opens.shift() as Open;
    this.addPiece(memberAt);
    const target = isObject ? {} : [];
    const parent = this.fillings.at(-1) as Filling;
    if (parent.isObject) {
      const name = this.bytes.toString('utf8', memberAt, at);
      const [key] = Object.keys(JSON.parse(`{${name}0}`) as object);
      setMember(parent.target as Record<string, unknown>, key as string, target);
    } else (parent.target as unknown[]).push(target);
    this.fillings.push({ target, isObject });
    this.pieceAt = at + 1;
  }

  /** Adds the members or elements up to a position, which ends the last of them. */
  private addPiece(end: number): void {
    const { target, isObject } = this.fillings.at(-1) as Filling;
    const text = this.bytes.toString('utf8', this.pieceAt, end).replace(/^\s*,|,\s*$/g, '');
    this.pieceAt = end;
    if (text.trim() === '') return;
    if (isObject) {
      const members = JSON.parse(`{${text}}`) as Record<string, unknown>;
      const names = Object.keys(members);
      for (const name of names) setMember(target as Record<string, unknown>, name, members[name]);
    } else {
      for (const element of JSON.parse(`[${text}]`) as unknown[])
        (target as unknown[]).push(element);
    }
  }
}

/** As `JSON.parse`: a member named `__proto__` is like any other. */
function setMember(object: Record<string, unknown>, name: string, value: unknown): void {
  if (name !== '__proto__') object[name] = value;
  else
    Object.defineProperty(object, name, {
      value,
      writable: true,
      enumerable: true,
      configurable: true,
    });
}

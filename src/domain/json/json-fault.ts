/** Thrown by a scanner; what follows in the text was not read. */
export class JsonFault extends Error {
  /** `syntax`: the text is no JSON. `bound`: it exceeds a bound, which the message names. */
  readonly kind: 'syntax' | 'bound';
  /** JSON pointer of the innermost value that the reader wanted and that was being read. */
  readonly pointer: string;

  constructor(kind: 'syntax' | 'bound', detail: string, pointer: string) {
    super(detail);
    this.kind = kind;
    this.pointer = pointer;
  }
}

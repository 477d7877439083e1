/** Thrown by a scanner; the rest of the text was not read. */
export class JsonFault extends Error {
  /** `syntax`: the text is not JSON. `bound`: it exceeds the bound that the message names. */
  readonly kind: 'syntax' | 'bound';
  /** JSON pointer of the innermost wanted value that was being read. */
  readonly pointer: string;

  constructor(kind: 'syntax' | 'bound', detail: string, pointer: string) {
    super(detail);
    this.kind = kind;
    this.pointer = pointer;
  }
}

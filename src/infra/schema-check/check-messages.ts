import type { FieldError } from '#domain/errors.ts';

/** A request to the thread that validates `data`. */
export interface CheckRequest {
  /** The JSON Schema of the event type, as JSON. */
  schema: string;
  /** The JSON text of `data`. Its buffer is transferred to the thread. */
  data: Uint8Array<ArrayBuffer>;
}

/** The answer of the thread. `schemaFault`: the stored schema does not compile. */
export type CheckAnswer = { faults: FieldError[] } | { schemaFault: string };

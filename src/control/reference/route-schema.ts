import type { TObject, TSchema } from 'typebox';

/** What a route says of itself, as its registration has it. */
export interface RouteSchema {
  method: string;
  /** With parameters as `:name`. */
  url: string;
  operationId: string;
  summary: string;
  description?: string;
  tags: readonly string[];
  /** Absent: an API key is needed. Empty: nothing is. */
  security?: readonly object[];
  params?: TObject;
  querystring?: TObject;
  headers?: TObject;
  body?: TSchema;
  /** Bodies by media type, where there are several. */
  bodies?: Readonly<Record<string, TSchema>>;
  response: Readonly<Record<string, TSchema>>;
}

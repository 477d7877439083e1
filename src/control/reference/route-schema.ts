import type { TObject, TSchema } from 'typebox';

/** The schema of a route, as it is registered. */
export interface RouteSchema {
  method: string;
  /** With parameters as `:name`. */
  url: string;
  operationId: string;
  summary: string;
  description?: string;
  tags: readonly string[];
  /** Absent: an API key is required. Empty: no authentication. */
  security?: readonly object[];
  params?: TObject;
  querystring?: TObject;
  headers?: TObject;
  body?: TSchema;
  /** Bodies by media type: if there are several, or if `body` checks less than is documented. */
  bodies?: Readonly<Record<string, TSchema>>;
  response: Readonly<Record<string, TSchema>>;
}

declare module 'fastify' {
  interface FastifySchema {
    bodies?: RouteSchema['bodies'];
  }
}

/** Schemas of imports and exports of event types. */
import { type Static, Type } from 'typebox';
import { documentFormats } from '#domain/schema-documents/read-document.ts';
import { named } from '#wire/openapi/describe.ts';
import { eventTypeName, nullable, resourceId, strict, timestamp } from '../fields.ts';
import { filterBy } from '../page.ts';

const format = named(
  'DocumentFormat',
  Type.Enum(documentFormats, {
    description:
      '`openapi`: OpenAPI 3.1, its `webhooks`. `asyncapi`: AsyncAPI 3, its messages. `json_schema`: a JSON Schema with a definition in `$defs` for each event type.',
  }),
);

export const newEventTypeImport = named(
  'NewEventTypeImport',
  Type.Object(
    {
      format,
      document: Type.Record(Type.String(), Type.Unknown(), {
        description: 'The document, as JSON.',
        examples: [{ $defs: { 'order.created': { type: 'object' } } }],
      }),
    },
    strict,
  ),
  {
    description: 'A document with event types.',
    examples: [
      { format: 'json_schema', document: { $defs: { 'order.created': { type: 'object' } } } },
    ],
  },
);
export type NewEventTypeImport = Static<typeof newEventTypeImport>;

const itemError = named(
  'EventTypeImportError',
  Type.Object({
    pointer: Type.String({
      description: 'JSON pointer into the event type.',
      examples: ['/schema/type'],
    }),
    detail: Type.String({ description: 'The fault.', examples: ['must be one of: null, object'] }),
  }),
  { description: 'A fault of an event type in a document.' },
);

const item = named(
  'EventTypeImportItem',
  Type.Object({
    event_type: eventTypeName,
    action: named(
      'EventTypeImportAction',
      Type.Enum(['create', 'update', 'unchanged', 'refuse'] as const, {
        description: 'What applying the import does. `refuse`: nothing, because of `errors`.',
      }),
    ),
    creates_version: Type.Boolean({
      description: 'True if the schema becomes a new version.',
      examples: [true],
    }),
    errors: Type.Array(itemError, { description: 'Why the event type cannot be imported.' }),
    result: nullable(
      named(
        'EventTypeImportResult',
        Type.Enum(['applied', 'unchanged', 'changed_meanwhile', 'refused'] as const, {
          description:
            '`changed_meanwhile`: the event type has changed since the plan was made, and stays as it is. Null: the import was not applied.',
        }),
      ),
    ),
  }),
  { description: 'An event type of the document, and what happens to it.' },
);
export type EventTypeImportItem = Static<typeof item>;

export const eventTypeImport = named(
  'EventTypeImport',
  Type.Object({
    id: resourceId('an import', 'imp'),
    format,
    status: named(
      'EventTypeImportStatus',
      Type.Enum(['ready', 'applied'] as const, {
        description: '`ready`: a plan that can be applied.',
      }),
    ),
    items: Type.Array(item, { description: 'The event types, in the order of the document.' }),
    created_at: timestamp('When the plan was made'),
    expires_at: timestamp('When the plan is removed'),
    applied_at: nullable(timestamp('When the import was applied')),
  }),
  { description: 'An import of event types: first a plan, then its result.' },
);
export type EventTypeImport = Static<typeof eventTypeImport>;

export const eventTypeImportParams = Type.Object(
  { import: resourceId('an import', 'imp') },
  strict,
);

export const eventTypeExportParams = Type.Object({ format }, strict);
export const eventTypeExportQuery = Type.Object({ event_type: filterBy(eventTypeName) }, strict);

export const exportedDocument = named(
  'ExportedDocument',
  Type.Record(Type.String(), Type.Unknown(), {
    description: 'The document in the requested format.',
    examples: [{ openapi: '3.1.0', info: { title: 'Webhooks', version: '1' }, webhooks: {} }],
  }),
);

import type { Collection, Db } from 'mongodb';
import type { DocumentFormat } from '#domain/schema-documents/read-document.ts';

/** The plan of an import of event types, and its result. */
export interface EventTypeImportDocument {
  /** Import id. */
  _id: string;
  format: DocumentFormat;
  /** JSON text of the items: schemas have names with `$`. */
  items: string;
  created_at: Date;
  expires_at: Date;
  /** Null: it was not applied to its end. */
  applied_at: Date | null;
  /** JSON text of the result of each item. */
  results: string | null;
}

export function eventTypeImportsOf(db: Db): Collection<EventTypeImportDocument> {
  return db.collection('event_type_imports');
}

/** Creates the index; idempotent. */
export async function ensureEventTypeImportIndexes(db: Db): Promise<void> {
  await eventTypeImportsOf(db).createIndex({ expires_at: 1 }, { expireAfterSeconds: 0 });
}

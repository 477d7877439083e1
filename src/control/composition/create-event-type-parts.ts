/** The parts of the registry of event types (CT-4). */
import { eventTypeImportsOf } from '#infra/mongo/event-type-imports.ts';
import type { ConfigurationDeps } from '../config-sync/change-tenant.ts';
import { EventTypeExports } from '../event-type-documents/exports.ts';
import { EventTypeImports } from '../event-type-documents/imports.ts';
import type { EventTypeDocumentParts } from '../event-type-documents/routes.ts';
import { AutomaticTypes } from '../event-types/automatic-types.ts';
import { EventTypeRegistrar } from '../event-types/registrar.ts';
import { EventTypes } from '../event-types/registry.ts';
import type { ControlDeps } from './control-deps.ts';

export function createEventTypeParts(
  { db, config, clock, log }: ControlDeps,
  changes: ConfigurationDeps,
): { registrar: EventTypeRegistrar; parts: EventTypeDocumentParts & { eventTypes: EventTypes } } {
  const { configuration } = changes;
  const automatic = new AutomaticTypes({ configuration, clock });
  const registrar = new EventTypeRegistrar({ types: automatic, config, clock, log });
  const eventTypes = new EventTypes({
    ...changes,
    automatic,
    onRemoved: (name) => registrar.forget(name),
  });
  const imports = eventTypeImportsOf(db);
  return {
    registrar,
    parts: {
      eventTypes,
      eventTypeImports: new EventTypeImports({ imports, configuration, eventTypes, clock }),
      eventTypeExports: new EventTypeExports(configuration),
    },
  };
}

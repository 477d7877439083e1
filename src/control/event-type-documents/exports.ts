import type { Principal } from '#domain/authorization.ts';
import { PosthornError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import { anyOf } from '#infra/mongo/any-of.ts';
import type { DocumentFormat } from '#domain/schema-documents/read-document.ts';
import { toTypeScript } from '#domain/schema-documents/to-typescript.ts';
import { type WrittenType, writeDocument } from '#domain/schema-documents/write-document.ts';
import { ofVisible } from '#infra/mongo/visible-types.ts';
import type { Configuration } from '#infra/mongo/configuration.ts';
import { samplesOf } from '../event-types/event-type-resource.ts';

/** Exports the registered event types that a caller sees (CT-4). */
export class EventTypeExports {
  private readonly configuration: Pick<Configuration, 'eventTypes'>;

  constructor(configuration: Pick<Configuration, 'eventTypes'>) {
    this.configuration = configuration;
  }

  /** @throws PosthornError POSTHORN_LIMIT_EXCEEDED */
  async document(
    format: DocumentFormat,
    names: readonly string[] | undefined,
    caller: Principal,
  ): Promise<Record<string, unknown>> {
    return writeDocument(format, await this.read(names, caller));
  }

  /** @throws PosthornError POSTHORN_LIMIT_EXCEEDED */
  async typeScript(names: readonly string[] | undefined, caller: Principal): Promise<string> {
    return toTypeScript(await this.read(names, caller));
  }

  private async read(
    names: readonly string[] | undefined,
    { eventTypes: visible }: Principal,
  ): Promise<WrittenType[]> {
    const found = this.configuration.eventTypes
      .find(
        { auto: false, $and: [anyOf('_id', names), ofVisible('_id', visible)] },
        { projection: { versions: { $slice: -1 } } },
      )
      .sort({ _id: 1 });
    const types: WrittenType[] = [];
    let bytes = 0;
    for await (const type of found) {
      const schema = type.versions.at(-1)?.schema ?? null;
      bytes += (schema?.length ?? 0) + (type.samples?.length ?? 0);
      checkBounds(types.length + 1, bytes);
      types.push({
        name: type._id,
        description: type.description,
        schema: schema === null ? null : (JSON.parse(schema) as Record<string, unknown>),
        samples: samplesOf(type),
        deprecated: Boolean(type.deprecation),
      });
    }
    return types;
  }
}

function checkBounds(count: number, bytes: number): void {
  const { eventTypesExportedMax: most, eventTypeExportBytesMax: bytesMax } = limits;
  if (count <= most && bytes <= bytesMax) return;
  const detail = `an export has at most ${most} event types and ${bytesMax} bytes of schemas; name some with event_type`;
  throw new PosthornError('POSTHORN_LIMIT_EXCEEDED', { detail });
}

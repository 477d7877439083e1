import * as fc from 'fast-check';
import { isEventTypeName } from '#domain/event/event-type.ts';
import type { EventHead } from '#wire/frames/event-frame.ts';

/** Any text, control characters, line feeds and lone surrogates included. */
export const anyText = fc.string({ unit: 'binary', maxLength: 40 });

/** Text without lone surrogates: any text that JSON in UTF-8 can carry. */
export const unicodeText = fc.string({ unit: 'grapheme', maxLength: 40 });

export const tenantId = fc.stringMatching(/^[a-zA-Z0-9][a-zA-Z0-9_-]{0,63}$/);

export const eventType = fc.oneof(
  fc.stringMatching(/^[a-zA-Z0-9_-]{1,10}(\.[a-zA-Z0-9_-]{1,10}){0,7}$/),
  fc.stringMatching(/^[.=*> a/0-9A-F]{1,12}$/),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).filter(isEventTypeName),
);

const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });

/** An event head as ingress creates it, with any text where a producer may choose it. */
export const eventHead: fc.Arbitrary<EventHead> = fc
  .record({
    id: fc.stringMatching(/^[A-Za-z0-9_:@/+=~|-]{1,200}$/),
    type: eventType,
    source: anyText,
    time: fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
    subject: optional(anyText),
    dataschema: optional(anyText),
    contentType: optional(anyText),
    kind: fc.constantFrom('json', 'text', 'binary'),
    ext: optional(
      fc.dictionary(
        fc.stringMatching(/^[a-z0-9]{1,128}$/),
        fc.oneof(anyText, fc.boolean(), fc.maxSafeInteger()),
      ),
    ),
    acceptedMs: fc.nat(4_102_444_800_000),
    correlationId: fc.stringMatching(/^[A-Za-z0-9._:/+=-]{1,128}$/),
    fingerprint: optional(fc.base64String()),
  })
  // As parsed from JSON: undefined fields are absent, an object has a prototype.
  .map((head) => JSON.parse(JSON.stringify(head)) as EventHead);

export const anyBytes = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));

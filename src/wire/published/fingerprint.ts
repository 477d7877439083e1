import { createHash } from 'node:crypto';
import type { EventInput } from './event-input.ts';

/** SHA-256 (base64url) of all content that the caller sent. */
export function fingerprintOf(input: EventInput): string {
  const { type, source, time, subject, dataschema, contentType, kind, priority } = input;
  const content = [
    type,
    source,
    time,
    subject,
    dataschema,
    contentType,
    kind,
    extensionsAsText(input),
  ];
  if (priority !== undefined) content.push(priority);
  return createHash('sha256')
    .update(JSON.stringify(content))
    .update('\n')
    .update(input.data)
    .digest('base64url');
}

/** Binary mode has no types: the same event may be repeated in another mode. */
function extensionsAsText({ ext }: EventInput): Record<string, string> | undefined {
  if (ext === undefined) return undefined;
  return Object.fromEntries(Object.entries(ext).map(([name, value]) => [name, String(value)]));
}

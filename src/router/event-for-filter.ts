import type { EventFrame } from '#wire/event-frame.ts';

/**
 * The event as filters see it (RT-1): its attributes, extensions, and `data` parsed where it is JSON, as text
 * where it is text. Binary data is not seen, nor that of a large event which is not at hand.
 */
export function eventForFilter({ head, data }: EventFrame): Record<string, unknown> {
  const event: Record<string, unknown> = {
    ...head.ext,
    id: head.producerId ?? head.id,
    type: head.type,
    source: head.source,
    time: head.time,
  };
  if (head.subject !== undefined) event['subject'] = head.subject;
  if (head.noData === true) return event;
  if (head.payload !== undefined && data.length === 0) return event;
  if (head.kind === 'json') event['data'] = JSON.parse(data.toString());
  else if (head.kind === 'text') event['data'] = data.toString();
  return event;
}

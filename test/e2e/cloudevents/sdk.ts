/** An event of a test, before an SDK writes it. */
export interface SampleEvent {
  attributes: Record<string, string | number | boolean>;
  data?: { json: Record<string, unknown> } | { text: string } | { base64: string };
}

/** An HTTP message; the body in base64. */
export interface Message {
  headers: Record<string, string>;
  body: string;
}

/** A message as parsed by an SDK. */
export interface ParsedEvent {
  attributes: Record<string, unknown>;
  data: unknown;
}

export type Mode = 'structured' | 'binary';

export interface Sdk {
  name: string;
  write(events: SampleEvent[], mode: Mode): Promise<Message[]>;
  read(messages: Message[]): Promise<ParsedEvent[]>;
}

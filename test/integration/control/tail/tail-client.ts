import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { jetstream } from '@nats-io/jetstream';
import { waitUntil } from '#testkit/wait-until.ts';
import { encodeEventFrame } from '#wire/frames/event-frame.ts';
import type { HistoryRecord } from '#wire/frames/record.ts';
import { subjects } from '#wire/subjects.ts';
import type { ControlPlane } from '../control-plane.ts';

export interface TailMessage {
  event: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- assertions check the shape
  data: any;
}

/** A client of the live tail that keeps all messages. */
export class TailClient {
  readonly status: number;
  readonly messages: TailMessage[] = [];
  /** The id of the last message, or of a heartbeat after it. */
  lastId = '';
  isEnded = false;
  private readonly stopping: AbortController;
  private readonly response: Response;

  private constructor(response: Response, stopping: AbortController) {
    this.response = response;
    this.stopping = stopping;
    this.status = response.status;
  }

  static async open(
    t: TestContext,
    url: string,
    headers: Record<string, string>,
  ): Promise<TailClient> {
    const stopping = new AbortController();
    t.after(() => stopping.abort());
    const response = await fetch(url, { headers, signal: stopping.signal });
    const client = new TailClient(response, stopping);
    if (response.status === 200) void client.read();
    return client;
  }

  get headers(): Headers {
    return this.response.headers;
  }

  json(): Promise<{ code: string }> {
    return this.response.json() as Promise<{ code: string }>;
  }

  close(): void {
    this.stopping.abort();
  }

  /** Waits for a message. */
  until(fits: (message: TailMessage) => boolean, what = 'the message'): Promise<TailMessage> {
    return waitUntil(() => this.messages.find(fits), { what, deadlineMs: 15_000 });
  }

  private async read(): Promise<void> {
    let text = '';
    try {
      for await (const bytes of this.response.body as ReadableStream<Uint8Array>) {
        text += Buffer.from(bytes).toString();
        const blocks = text.split('\n\n');
        text = blocks.pop() ?? '';
        for (const block of blocks) this.take(block);
      }
    } catch {
      // Closed by the test.
    }
    this.isEnded = true;
  }

  private take(block: string): void {
    const fields = new Map(
      block.split('\n').map((line) => {
        const colon = line.indexOf(': ');
        return [line.slice(0, colon), line.slice(colon + 2)] as const;
      }),
    );
    const id = fields.get('id');
    if (id !== undefined) this.lastId = id;
    const data = fields.get('data');
    if (data === undefined) return;
    this.messages.push({ event: fields.get('event') ?? 'message', data: JSON.parse(data) });
  }
}

/** Opens the port of a plane. Returns the URL of the API. */
export async function listen(plane: ControlPlane): Promise<string> {
  if (!plane.app.server.listening) await plane.app.listen({ host: '127.0.0.1', port: 0 });
  return `http://127.0.0.1:${(plane.app.server.address() as AddressInfo).port}`;
}

export async function publishEvent(
  plane: ControlPlane,
  tenant: string,
  id: string,
  type = 'order.created',
): Promise<void> {
  const head = {
    id,
    type,
    source: '/s',
    time: '2026-01-31T12:00:00Z',
    kind: 'json' as const,
    acceptedMs: 1_700_000_000_000,
    correlationId: 'req_1',
  };
  await jetstream(plane.nc).publish(subjects.event(tenant, type), encodeEventFrame(head, '{}'));
}

export async function publishRecords(
  plane: ControlPlane,
  ...records: HistoryRecord[]
): Promise<void> {
  await jetstream(plane.nc).publish(subjects.records(0), JSON.stringify(records));
}

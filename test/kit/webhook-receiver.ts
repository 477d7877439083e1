import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Behaviour, behave } from './receiver-behaviour.ts';
import { waitUntil } from './wait-until.ts';

/** A received request, with the body's exact bytes. */
export interface ReceivedRequest {
  /** Milliseconds of `performance.now()` when the body was complete. */
  atMs: number;
  method: string;
  /** Without the query. */
  path: string;
  /** With the query. */
  url: string;
  /** Names in lower case; values of repeated names joined by `, `. */
  headers: Record<string, string>;
  /** Names and values alternating, as sent. */
  rawHeaders: string[];
  body: Buffer;
}

/** The behaviour for a request; `nth` counts the requests of this path from 1. */
export type Script = Behaviour | ((request: ReceivedRequest, nth: number) => Behaviour);

/** An HTTP server that records all requests and behaves as scripted for each path. */
export class WebhookReceiver {
  /** In the order in which they were complete. */
  readonly requests: ReceivedRequest[] = [];
  private readonly server = createServer((request, response) => {
    this.receive(request, response).catch(() => response.destroy());
  });
  private readonly scripts = new Map<string, Script>();
  private readonly counts = new Map<string, number>();
  private readonly closing = new AbortController();
  private listensOn = 0;
  private host = '';
  private fallback: Script = { status: 200 };

  /** @param port absent: any free one */
  static async start(port = 0, host = '127.0.0.1'): Promise<WebhookReceiver> {
    const receiver = new WebhookReceiver();
    receiver.host = host;
    await new Promise<void>((resolve, reject) => {
      receiver.server.once('error', reject);
      receiver.server.listen(port, host, resolve);
    });
    receiver.listensOn = (receiver.server.address() as AddressInfo).port;
    return receiver;
  }

  /** Stays the same after `close`, so that another receiver can replace it. */
  get port(): number {
    return this.listensOn;
  }

  /** `url('/hook')` is the URL of a path. */
  url(path = '/'): string {
    return `http://${this.host}:${this.port}${path}`;
  }

  /** Sets the behaviour for a path. */
  on(path: string, script: Script): this {
    this.scripts.set(path, script);
    return this;
  }

  /** Sets the behaviour for all other paths (200 by default). */
  otherwise(script: Script): this {
    this.fallback = script;
    return this;
  }

  /** The requests to one path. */
  at(path: string): ReceivedRequest[] {
    return this.requests.filter((request) => request.path === path);
  }

  /** Waits for `count` requests, of one path or of all; returns the first `count`. */
  async waitFor(count: number, path?: string, deadlineMs?: number): Promise<ReceivedRequest[]> {
    const seen = () => (path === undefined ? this.requests : this.at(path));
    await waitUntil(() => seen().length >= count, {
      what: `${count} requests${path === undefined ? '' : ` to ${path}`}`,
      ...(deadlineMs === undefined ? {} : { deadlineMs }),
    });
    return seen().slice(0, count);
  }

  /** Closes every connection, even during a response. */
  async close(): Promise<void> {
    this.closing.abort();
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.server.closeAllConnections();
    await closed;
  }

  private async receive(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of message) chunks.push(chunk as Buffer);
    const url = message.url ?? '/';
    const path = url.split('?')[0] as string;
    const request: ReceivedRequest = {
      atMs: performance.now(),
      method: message.method ?? '',
      path,
      url,
      headers: Object.fromEntries(
        Object.entries(message.headersDistinct).map(([name, values = []]) => [
          name,
          values.join(', '),
        ]),
      ),
      rawHeaders: message.rawHeaders,
      body: Buffer.concat(chunks),
    };
    const nth = (this.counts.get(path) ?? 0) + 1;
    this.counts.set(path, nth);
    this.requests.push(request);
    const script = this.scripts.get(path) ?? this.fallback;
    const behaviour = typeof script === 'function' ? script(request, nth) : script;
    await behave(behaviour, response, this.closing.signal);
  }
}

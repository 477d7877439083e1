import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Behaviour, behave } from './receiver-behaviour.ts';
import { waitUntil } from './wait-until.ts';

/** A request as it came, the body's bytes untouched. */
export interface ReceivedRequest {
  /** Milliseconds of `performance.now()` when the body was complete. */
  atMs: number;
  method: string;
  /** Without the query. */
  path: string;
  /** With the query. */
  url: string;
  /** Names in lower case; of several with one name the values joined by `, `. */
  headers: Record<string, string>;
  /** Name and value in turn, as they were sent. */
  rawHeaders: string[];
  body: Buffer;
}

/** What to do with a request; `nth` counts the requests of this path from 1. */
export type Script = Behaviour | ((request: ReceivedRequest, nth: number) => Behaviour);

/** An HTTP server that keeps all that it receives and behaves as it is told, path by path. */
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

  /** Stays the same when it is closed, so that another one can be started in its place. */
  get port(): number {
    return this.listensOn;
  }

  /** `url('/hook')` is the address of a path. */
  url(path = '/'): string {
    return `http://${this.host}:${this.port}${path}`;
  }

  /** What requests to a path get from now on. */
  on(path: string, script: Script): this {
    this.scripts.set(path, script);
    return this;
  }

  /** What requests to every other path get (200 if never set). */
  otherwise(script: Script): this {
    this.fallback = script;
    return this;
  }

  /** The requests to one path. */
  at(path: string): ReceivedRequest[] {
    return this.requests.filter((request) => request.path === path);
  }

  /** Waits for `count` requests, of one path or of all; gives the first `count`. */
  async waitFor(count: number, path?: string, deadlineMs?: number): Promise<ReceivedRequest[]> {
    const seen = () => (path === undefined ? this.requests : this.at(path));
    await waitUntil(() => seen().length >= count, {
      what: `${count} requests${path === undefined ? '' : ` to ${path}`}`,
      ...(deadlineMs === undefined ? {} : { deadlineMs }),
    });
    return seen().slice(0, count);
  }

  /** Ends every connection, however far its answer is. */
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

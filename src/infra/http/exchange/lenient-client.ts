import { validateHeaderName, validateHeaderValue } from 'node:http';
import type { Socket } from 'node:net';
import type { buildConnector } from 'undici';
import { AnswerReader } from './answer-reader.ts';
import type { Exchange } from './exchange.ts';

export interface HttpRequest {
  method: string;
  path: string;
  /** Alternating names and values. */
  headers: string[];
  body: Uint8Array;
}

/** Shorter than most servers keep an idle connection. */
const IDLE_MS = 4000;

/**
 * One connection to an origin whose answers undici refuses. Has the methods of undici's `Client`
 * that `Connections` uses, and writes the same bytes. Serves one exchange at a time, and dials when
 * an exchange finds no open socket.
 *
 * States: no socket -> dialling -> in an exchange <-> idle -> no socket. A failed exchange closes
 * the socket.
 */
export class LenientClient {
  private readonly url: URL;
  private readonly connect: buildConnector.connector;
  private socket: Socket | undefined;
  private exchange: Exchange | undefined;
  private reader: AnswerReader | undefined;
  private destroyed = false;
  private onDisconnect: () => void = () => undefined;

  constructor(origin: string, connect: buildConnector.connector) {
    this.url = new URL(origin);
    this.connect = connect;
  }

  on(_event: 'disconnect', listener: () => void): void {
    this.onDisconnect = listener;
  }

  /** @throws Error for an invalid header */
  dispatch(request: HttpRequest, exchange: Exchange): void {
    const head = this.headOf(request);
    this.exchange = exchange;
    const { socket } = this;
    if (socket !== undefined && !socket.destroyed) this.write(socket, head, request.body);
    else this.dial((dialled) => this.write(dialled, head, request.body));
  }

  /** Ends the connection; `error` ends its exchange. */
  destroy(error: Error): void {
    this.destroyed = true;
    this.fail(error);
  }

  private headOf({ method, path, headers, body }: HttpRequest): string {
    let head = `${method} ${path} HTTP/1.1\r\nhost: ${this.url.host}\r\nconnection: keep-alive\r\n`;
    for (let n = 0; n < headers.length; n += 2) {
      const name = headers[n] as string;
      const value = headers[n + 1] as string;
      validateHeaderName(name);
      validateHeaderValue(name, value);
      head += `${name}: ${value}\r\n`;
    }
    return `${head}content-length: ${body.length}\r\n\r\n`;
  }

  private dial(ready: (socket: Socket) => void): void {
    const { host, hostname, protocol, port } = this.url;
    this.connect({ host, hostname, protocol, port }, (error, socket) => {
      if (error !== null) this.fail(error);
      else if (this.destroyed) socket.destroy();
      else {
        this.listen(socket);
        ready(socket);
      }
    });
  }

  private listen(socket: Socket): void {
    this.socket = socket;
    // A discarded socket may still emit events while the next one is dialled or serves.
    const isCurrent = (): boolean => this.socket === socket;
    socket.on('readable', () => {
      if (isCurrent()) this.read(socket);
    });
    socket.on('end', () => {
      if (isCurrent()) this.ended();
    });
    socket.on('error', (error) => {
      if (isCurrent()) this.fail(error);
    });
    socket.on('timeout', () => socket.destroy());
    socket.on('close', () => {
      if (isCurrent()) this.ended();
      if (this.socket === undefined) this.onDisconnect();
    });
  }

  private write(socket: Socket, head: string, body: Uint8Array): void {
    const { exchange } = this;
    if (exchange === undefined) return;
    socket.setTimeout(0);
    this.reader = new AnswerReader({
      onHead: (status, headers) => exchange.onResponseStart(undefined, status, headers),
      onBody: (chunk) => exchange.onResponseData(undefined, chunk),
      onEnd: (isReusable) => this.finish(socket, isReusable),
    });
    exchange.onRequestStart();
    socket.cork();
    socket.write(head, 'latin1');
    socket.write(body);
    socket.uncork();
  }

  private read(socket: Socket): void {
    for (;;) {
      const chunk = socket.read() as Buffer | null;
      if (chunk === null) return;
      // The next exchange would take these bytes for its answer.
      if (this.reader === undefined) {
        socket.destroy();
        return;
      }
      try {
        this.reader.feed(chunk);
      } catch (error) {
        this.fail(error as Error);
      }
    }
  }

  /** The receiver has closed its side. */
  private ended(): void {
    if (this.reader?.end() === true) return;
    this.fail(Object.assign(new Error('the connection has ended'), { code: 'ECONNRESET' }));
  }

  private finish(socket: Socket, isReusable: boolean): void {
    const { exchange } = this;
    this.reader = undefined;
    this.exchange = undefined;
    if (isReusable) socket.setTimeout(IDLE_MS);
    else {
      this.socket = undefined;
      socket.destroy();
    }
    exchange?.onResponseEnd();
  }

  private fail(error: Error): void {
    const { exchange, socket } = this;
    this.reader = undefined;
    this.exchange = undefined;
    this.socket = undefined;
    socket?.destroy();
    exchange?.onResponseError(undefined, error);
  }
}

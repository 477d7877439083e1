import type { Socket } from 'node:net';
import type { buildConnector } from 'undici';
import type { Exchange, ServingConnection } from '../exchange/exchange.ts';
import type { HttpRequest } from '../exchange/lenient-client.ts';
import type { Dial } from '../dial/guarded-connector.ts';

/**
 * Shared: creating an error with its stack for each closed connection costs more than the close
 * itself.
 */
const ENDED = new Error('the connection is not needed any more');

/** One connection that dials when needed: undici's `Client`, or the lenient client. */
export interface HttpClient {
  dispatch: (request: HttpRequest, exchange: Exchange) => unknown;
  destroy: (error: Error) => unknown;
  on: (event: 'disconnect', listener: () => void) => unknown;
}

/** @param connect dials; the client calls it again after its connection has ended */
export type OpenClient = (connect: buildConnector.connector) => HttpClient;

/** A client, with the state of the socket that it uses now. */
export class Connection implements ServingConnection {
  readonly client: HttpClient;
  private readonly dial: Dial;
  private socket: Socket | undefined;
  private exchange: Exchange | undefined;
  private exchangesServed = 0;

  constructor(dial: Dial, openClient: OpenClient) {
    this.dial = dial;
    this.client = openClient((target, callback) => {
      dial.connect(target, (...dialled) => {
        if (dialled[1] !== null) this.useSocket(dialled[1]);
        callback(...dialled);
      });
    });
  }

  get served(): number {
    return this.exchangesServed;
  }

  get bytesRead(): number {
    return this.socket?.bytesRead ?? 0;
  }

  /** False if the receiver answered before it read the whole request. */
  get isFlushed(): boolean {
    return (this.socket?.writableLength ?? 0) === 0;
  }

  /** @throws Error for an invalid request */
  send(request: HttpRequest, exchange: Exchange): void {
    this.exchange = exchange;
    this.client.dispatch(request, exchange);
  }

  /** Marks the exchange as ended; the connection may serve another. */
  rest(): void {
    this.exchange = undefined;
    this.exchangesServed++;
  }

  end(): void {
    this.exchange = undefined;
    void this.client.destroy(ENDED);
    this.dial.cancel();
  }

  private useSocket(socket: Socket): void {
    this.socket = socket;
    this.exchangesServed = 0;
    socket.on('readable', () => {
      if (this.socket === socket) this.exchange?.onBytes();
    });
  }
}

/**
 * The connections to one origin: as many as there are concurrent exchanges, one exchange at a time
 * on each. It replaces undici's own pool, which allocates 16 KiB for a queue that an unbounded pool
 * never uses, scans all connections for a free one, and never drops one.
 */
export class Connections {
  private readonly newDial: () => Dial;
  private readonly openClient: OpenClient;
  private readonly all = new Set<Connection>();
  /** The last one used is at the end and is used next: its receiver is least likely to close it. */
  private readonly idle: Connection[] = [];

  constructor(newDial: () => Dial, openClient: OpenClient) {
    this.newDial = newDial;
    this.openClient = openClient;
  }

  /** Returns an idle connection, or a new one, which dials with its first exchange. */
  acquire(): Connection {
    return this.idle.pop() ?? this.open();
  }

  /** Adds a new connection. */
  open(): Connection {
    const connection = new Connection(this.newDial(), this.openClient);
    this.all.add(connection);
    connection.client.on('disconnect', () => this.dropIdle(connection));
    return connection;
  }

  /**
   * Releases a connection after a whole answer. One with an unsent rest of its request is
   * discarded.
   */
  release(connection: Connection): void {
    if (!this.all.has(connection)) return;
    if (!connection.isFlushed) return this.discard(connection);
    connection.rest();
    this.idle.push(connection);
  }

  /** Ends a connection, its dial and its exchange. */
  discard(connection: Connection): void {
    if (this.all.delete(connection)) connection.end();
  }

  /** Closes the idle connections. */
  closeIdle(): void {
    for (const client of this.idle.splice(0)) this.discard(client);
  }

  /** Closes all connections. */
  destroy(): void {
    for (const connection of this.all) this.discard(connection);
  }

  /**
   * Drops a connection that was idle for too long, or closed by the receiver. A connection in use,
   * as after an answer with `connection: close`, dials again by itself.
   */
  private dropIdle(connection: Connection): void {
    const place = this.idle.indexOf(connection);
    if (place === -1) return;
    this.idle.splice(place, 1);
    this.discard(connection);
  }
}

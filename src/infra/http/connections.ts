import type { Socket } from 'node:net';
import type { buildConnector } from 'undici';
import type { Exchange, ServingConnection } from './exchange/exchange.ts';
import type { HttpRequest } from './exchange/lenient-client.ts';
import type { Dial } from './guarded-connector.ts';

/** One for all: to make an error for each connection that ends, with its stack, costs more than the end does. */
const ENDED = new Error('the connection is not needed any more');

/** What undici's `Client` and ours have in common: one connection, that dials as it is needed. */
export interface HttpClient {
  dispatch: (request: HttpRequest, exchange: Exchange) => unknown;
  destroy: (error: Error) => unknown;
  on: (event: 'disconnect', listener: () => void) => unknown;
}

/** @param connect dials; called again where the connection has ended */
export type OpenClient = (connect: buildConnector.connector) => HttpClient;

/** A client, and what is known of the socket that it uses at this moment. */
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

  /** @throws Error where the request cannot be one */
  send(request: HttpRequest, exchange: Exchange): void {
    this.exchange = exchange;
    this.client.dispatch(request, exchange);
  }

  /** The exchange ended, and the connection may serve another. */
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
 * The connections to one origin, one exchange at a time on each, as many as there are exchanges at once. undici's
 * own pool takes 16 KiB for a queue that is never used where the number of connections is not bounded, looks through
 * all connections for a free one, and keeps every one it ever had.
 */
export class Connections {
  private readonly newDial: () => Dial;
  private readonly openClient: OpenClient;
  private readonly all = new Set<Connection>();
  /** The last one used is at the end, and is used next: it is the least likely to be closed by the receiver. */
  private readonly idle: Connection[] = [];

  constructor(newDial: () => Dial, openClient: OpenClient) {
    this.newDial = newDial;
    this.openClient = openClient;
  }

  /** A connection that nobody uses; it dials with its first exchange. */
  take(): Connection {
    return this.idle.pop() ?? this.open();
  }

  /** A connection that has served nobody. */
  open(): Connection {
    const connection = new Connection(this.newDial(), this.openClient);
    this.all.add(connection);
    connection.client.on('disconnect', () => this.dropIdle(connection));
    return connection;
  }

  /** After an exchange that ended as it should. */
  giveBack(connection: Connection): void {
    if (!this.all.has(connection)) return;
    connection.rest();
    this.idle.push(connection);
  }

  /** Ends a connection, also one that is being made, and what is under way on it. */
  discard(connection: Connection): void {
    if (this.all.delete(connection)) connection.end();
  }

  /** Ends all. */
  destroy(): void {
    for (const connection of this.all) this.discard(connection);
  }

  /**
   * Idle for too long, or closed by the receiver. One that was taken again meanwhile, as may be after an answer with
   * `connection: close`, dials anew by itself.
   */
  private dropIdle(connection: Connection): void {
    const place = this.idle.indexOf(connection);
    if (place === -1) return;
    this.idle.splice(place, 1);
    this.discard(connection);
  }
}

import { Client } from 'undici';
import type { Dial } from './guarded-connector.ts';

/** One for all: to make an error for each connection that ends, with its stack, costs more than the end does. */
const ENDED = new Error('the connection is not needed any more');

/**
 * The connections to one origin, one exchange at a time on each, as many as there are exchanges at once. undici's
 * own pool takes 16 KiB for a queue that is never used where the number of connections is not bounded, looks through
 * all connections for a free one, and keeps every one it ever had.
 */
export class Connections {
  private readonly origin: string;
  private readonly options: Client.Options;
  private readonly newDial: () => Dial;
  private readonly all = new Map<Client, Dial>();
  /** The last one used is at the end, and is used next: it is the least likely to be closed by the receiver. */
  private readonly idle: Client[] = [];

  constructor(origin: string, newDial: () => Dial, options: Client.Options) {
    this.origin = origin;
    this.newDial = newDial;
    this.options = options;
  }

  /** A connection that nobody uses; it dials with its first exchange. */
  take(): Client {
    return this.idle.pop() ?? this.open();
  }

  /** After an exchange that ended as it should. */
  giveBack(client: Client): void {
    if (this.all.has(client)) this.idle.push(client);
  }

  /** Ends a connection, also one that is being made, and what is under way on it. */
  discard(client: Client): void {
    const dial = this.all.get(client);
    if (dial === undefined) return;
    this.all.delete(client);
    void client.destroy(ENDED);
    dial.cancel();
  }

  /** Ends all. */
  destroy(): void {
    for (const client of this.all.keys()) this.discard(client);
  }

  private open(): Client {
    const dial = this.newDial();
    const client = new Client(this.origin, { ...this.options, connect: dial.connect });
    this.all.set(client, dial);
    client.on('disconnect', () => this.dropIdle(client));
    return client;
  }

  /**
   * Idle for too long, or closed by the receiver. One that was taken again meanwhile, as may be after an answer with
   * `connection: close`, dials anew by itself.
   */
  private dropIdle(client: Client): void {
    const place = this.idle.indexOf(client);
    if (place === -1) return;
    this.idle.splice(place, 1);
    this.discard(client);
  }
}

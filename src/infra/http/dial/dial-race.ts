/**
 * Dials the addresses of one name as "Happy Eyeballs" does (RFC 8305): one address after another,
 * each 250 ms after the previous one or as soon as that one fails. Earlier tries continue while
 * later ones start, and the first that connects wins. A try of https includes its TLS handshake, so
 * an address that accepts connections and then stays silent does not win.
 *
 * States: running -> decided (a socket, an error, or cancelled). Deciding ends every other try.
 *
 * Limits: `limits.addressesDialledMax` addresses, `limits.dialTriesMax` tries concurrently, one
 * time limit for all. If there are more addresses than tries, each try gets an equal share of the
 * time and then makes room for the next.
 */
import type { LookupAddress } from 'node:dns';
import type { Socket } from 'node:net';
import { errors } from 'undici';
import type { Clock } from '#domain/clock.ts';
import { limits } from '#domain/limits.ts';
import { localFaultOf } from './local-fault.ts';

/** The Connection Attempt Delay of RFC 8305, section 5. */
const NEXT_TRY_AFTER_MS = 250;

/** Called with an error, or with a socket that is ready for a request. */
export type Connected = (error: Error | null, socket?: Socket | null) => void;

/** Starts one try. The socket can be destroyed before `connected` is called. */
export type StartTry = (address: string, connected: Connected) => Socket;

export interface DialRaceOptions {
  /** At least one, in the order of the tries. */
  addresses: readonly string[];
  startTry: StartTry;
  /** Time limit of the whole race. */
  timeoutMs: number;
  clock: Clock;
}

export class DialRace {
  private readonly options: DialRaceOptions;
  private readonly onDecided: Connected;
  private readonly addresses: readonly string[];
  /** Time limit of a single try. */
  private readonly tryMs: number;
  private started = 0;
  /** The oldest first. */
  private readonly running = new Map<number, { socket: Socket; startedMs: number }>();
  /**
   * By the index of the address, so that the reported error does not depend on which try ended
   * first.
   */
  private readonly errors: Error[] = [];
  private readonly deadline: NodeJS.Timeout;
  private nextTimer: NodeJS.Timeout | undefined;
  private roomTimer: NodeJS.Timeout | undefined;
  private decided = false;

  /** @param onDecided called once, and never after `cancel` */
  constructor(options: DialRaceOptions, onDecided: Connected) {
    this.options = options;
    this.onDecided = onDecided;
    this.addresses = options.addresses.slice(0, limits.addressesDialledMax);
    const rounds = Math.ceil(this.addresses.length / limits.dialTriesMax);
    this.tryMs = options.timeoutMs / rounds;
    this.deadline = setTimeout(() => this.late(), options.timeoutMs);
    this.startNext();
  }

  /** Ends every try. */
  cancel(): void {
    if (this.decided) return;
    this.decided = true;
    clearTimeout(this.deadline);
    clearTimeout(this.nextTimer);
    clearTimeout(this.roomTimer);
    for (const { socket } of this.running.values()) socket.destroy();
    this.running.clear();
  }

  private startNext(): void {
    clearTimeout(this.nextTimer);
    if (this.running.size >= limits.dialTriesMax || this.isLastStarted) return;
    const place = this.started++;
    try {
      const socket = this.options.startTry(this.addresses[place] as string, (error, socket) => {
        if (error === null) this.won(place, socket as Socket);
        else this.failed(place, error);
      });
      this.running.set(place, { socket, startedMs: this.options.clock.monotonicMs() });
    } catch (error) {
      process.nextTick(() => this.failed(place, error as Error));
    }
    clearTimeout(this.roomTimer);
    if (this.isLastStarted) return;
    if (this.running.size < limits.dialTriesMax) {
      this.nextTimer = setTimeout(() => this.startNext(), NEXT_TRY_AFTER_MS);
      return;
    }
    for (const [oldest, { startedMs }] of this.running) {
      const leftMs = startedMs + this.tryMs - this.options.clock.monotonicMs();
      this.roomTimer = setTimeout(() => this.makeRoom(oldest), leftMs);
      break;
    }
  }

  private get isLastStarted(): boolean {
    return this.started === this.addresses.length;
  }

  /** Ends the oldest try, whose share of the time has passed. */
  private makeRoom(place: number): void {
    this.running.get(place)?.socket.destroy();
    this.failed(place, new errors.ConnectTimeoutError(NO_CONNECTION));
  }

  private failed(place: number, error: Error): void {
    if (this.decided) return;
    this.running.delete(place);
    this.errors[place] = error;
    this.startNext();
    if (this.running.size > 0 || !this.isLastStarted) return;
    this.decide(firstOf(this.errors));
  }

  private won(place: number, socket: Socket): void {
    // The winner is removed first, so that `cancel` does not end it.
    if (this.running.delete(place) && !this.decided) this.decide(null, socket);
    else socket.destroy();
  }

  private late(): void {
    this.decide(new errors.ConnectTimeoutError(NO_CONNECTION));
  }

  private decide(error: Error | null, socket?: Socket): void {
    if (this.decided) return;
    this.cancel();
    this.onDecided(error, socket);
  }
}

const NO_CONNECTION = 'no connection was made in time';

/**
 * An address that a local fault kept from being tried may be the working one, so that error is
 * reported first.
 */
function firstOf(failures: Error[]): Error {
  // The list has holes, which `find` visits and `filter` skips.
  const all = failures.filter(() => true);
  return (all.find((error) => localFaultOf(error) !== undefined) ?? all[0]) as Error;
}

/**
 * Orders addresses by RFC 8305, section 4: as the resolver sorted them (RFC 6724), with alternating
 * families. A family without a route then delays a dial once, not for each of its addresses.
 */
export function interleaveFamilies(addresses: readonly LookupAddress[]): string[] {
  const first = addresses[0]?.family;
  const preferred = addresses.filter(({ family }) => family === first);
  const others = addresses.filter(({ family }) => family !== first);
  const order: string[] = [];
  for (let n = 0; n < Math.max(preferred.length, others.length); n++) {
    for (const list of [preferred, others]) {
      const entry = list[n];
      if (entry !== undefined && !order.includes(entry.address)) order.push(entry.address);
    }
  }
  return order;
}

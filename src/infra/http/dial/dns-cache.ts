/**
 * Looks up the names of receivers for all tenants of a worker. The system's resolver (getaddrinfo)
 * works in a few threads. A name whose servers do not answer blocks one for 10 s and more, even
 * when no dial waits for it any longer. So tenants share the threads fairly, and slow names have a
 * few of their own (ADR 0024).
 *
 * States of a name: unknown -> requested (queued for each tenant that asks) -> being looked up, in
 * at most one thread -> known for a short time, with its addresses or as not found -> unknown.
 * While the resolver fails or is late, the last known addresses are used (serve-stale, RFC 8767).
 * An answer that the name does not exist ends this. This cache judges no address: each dial checks
 * the addresses again.
 *
 * Limits: `limits.namesKeptMax` names, of which a tenant has at most its share (`SharedLru`). The
 * tenant's least recently used name is dropped first. It is dropped from a queue too when no dial
 * waits for it any longer: queues grow long while a tenant's name servers do not answer.
 */
import { ADDRCONFIG, type LookupAddress, lookup } from 'node:dns';
import { FairSemaphore } from '#domain/contention/fair-semaphore.ts';
import { limits } from '#domain/limits.ts';
import { SharedLru } from '#domain/bounds/shared-lru.ts';
import { type ResolverHealth, resolverDown } from './resolver-health.ts';

export type Found = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void;

/**
 * Finds the addresses of a name. Calls `found` after it has returned.
 *
 * @param timeoutMs after this time `found` gets a NameLookupError
 */
export type AddressLookup = (hostname: string, timeoutMs: number, found: Found) => void;

/** A name was not answered in time, or there was no room to look it up. */
export class NameLookupError extends Error {
  readonly code: 'POSTHORN_NAME_TIMEOUT' | 'POSTHORN_NAMES_FULL';
  constructor(code: NameLookupError['code'], message: string) {
    super(message);
    this.name = 'NameLookupError';
    this.code = code;
  }
}

/**
 * Node makes 16 look-ups concurrently with `UV_THREADPOOL_SIZE=32`. Two are left to the names of
 * NATS and MongoDB.
 */
const SLOTS = 10;
const SLOTS_FOR_SLOW_NAMES = 4;
/** A name whose last look-up took longer waits for the slots of slow names. */
const SLOW_AFTER_MS = 2000;
/** A slower look-up is a reason to check the resolver's health. */
const SUSPECT_AFTER_MS = 1000;
const KEPT_MS = 10_000;
/** Shorter than the shortest delay before a retry, so that the retry looks the name up again. */
const FAILURE_KEPT_MS = 800;
/** Maximum age of a stale address. */
const STALE_MAX_MS = 300_000;
/**
 * How long to wait for an answer before using a stale address (the client response timer of RFC
 * 8767).
 */
const STALE_AFTER_MS = 1800;

export interface DnsCacheDeps {
  /** @param found called once, and not before this returns */
  lookUp: (hostname: string, found: Found) => void;
  /** Monotonic, in milliseconds. */
  now: () => number;
  onLookup: (outcome: 'found' | 'not_found' | 'failed') => void;
  health: ResolverHealth;
}

interface Name {
  hostname: string;
  /** The addresses of the last successful look-up. */
  addresses: LookupAddress[];
  foundAtMs: number;
  /** The error of the last look-up. */
  error: NodeJS.ErrnoException | null;
  /** The name is not looked up again before this time. */
  expiresAtMs: number;
  /** Since when a dial has been waiting for the name, without a break. */
  askedAtMs: number;
  isSlow: boolean;
  isRunning: boolean;
  /** The tenants in whose queues it waits. */
  lines: Set<string>;
  waiting: Set<() => void>;
}

export class DnsCache {
  private readonly deps: DnsCacheDeps;
  private readonly slots = new FairSemaphore(SLOTS);
  private readonly slowSlots = new FairSemaphore(SLOTS_FOR_SLOW_NAMES);
  private readonly names = new SharedLru<Name>({
    max: limits.namesKeptMax,
    mayGo: ({ isRunning, waiting }) => !isRunning && waiting.size === 0,
  });

  constructor(deps: DnsCacheDeps) {
    this.deps = deps;
  }

  /** The look-up for the dials of one tenant. */
  of(tenant: string): AddressLookup {
    return (hostname, timeoutMs, found) => {
      const name = this.nameOf(tenant, hostname);
      if (name === undefined) process.nextTick(found, tooMany(), []);
      else if (this.deps.now() < name.expiresAtMs) {
        process.nextTick(() => this.answer(name, found));
      } else {
        if (!isAsked(name)) name.askedAtMs = this.deps.now();
        this.wait(name, timeoutMs, found);
        this.enter(name, tenant);
      }
    };
  }

  /** Undefined if all names that this tenant may have are waited for or being looked up. */
  private nameOf(tenant: string, hostname: string): Name | undefined {
    const known = this.names.get(hostname);
    if (known !== undefined) return known;
    const name: Name = {
      hostname,
      addresses: [],
      foundAtMs: 0,
      error: null,
      expiresAtMs: Number.NEGATIVE_INFINITY,
      askedAtMs: 0,
      isSlow: false,
      isRunning: false,
      lines: new Set(),
      waiting: new Set(),
    };
    return this.names.set(tenant, hostname, name) ? name : undefined;
  }

  /**
   * Adds a name to the queue of a tenant. The queue of another tenant may be shorter: the name
   * waits in the queue of each tenant that asks.
   */
  private enter(name: Name, tenant: string): void {
    if (name.isRunning || name.lines.has(tenant)) return;
    name.lines.add(tenant);
    const slots = name.isSlow ? this.slowSlots : this.slots;
    slots.enter(tenant, () => this.begin(name, tenant, slots));
  }

  private wait(name: Name, timeoutMs: number, found: Found): void {
    const now = this.deps.now();
    const staleAtMs = this.hasStale(name)
      ? name.askedAtMs + STALE_AFTER_MS
      : Number.POSITIVE_INFINITY;
    const answered = (): void => {
      clearTimeout(timer);
      this.answer(name, found);
    };
    const late = (): void => {
      name.waiting.delete(answered);
      if (this.hasStale(name)) found(null, name.addresses);
      else found(this.deps.health.isDown ? resolverDown() : timedOut(name.hostname), []);
    };
    const timer = setTimeout(late, Math.max(0, Math.min(timeoutMs, staleAtMs - now)));
    name.waiting.add(answered);
  }

  /** Starts the look-up in the tenant's turn; false if the name needs none any more. */
  private begin(name: Name, tenant: string, slots: FairSemaphore): boolean {
    name.lines.delete(tenant);
    const startedMs = this.deps.now();
    if (name.isRunning || startedMs < name.expiresAtMs) return false;
    // It was dropped to make room, and may have been requested again since.
    if (this.names.peek(name.hostname) !== name) return false;
    // The turn of a slow or stale name may come after every caller has left: the answer then serves
    // the next one.
    const servesLater = slots === this.slowSlots || this.hasStale(name);
    if (name.waiting.size === 0 && !servesLater) return false;
    name.isRunning = true;
    const { health } = this.deps;
    const lookup = { hostname: name.hostname, tenant, startedMs };
    const suspect = setTimeout(() => health.suspect(lookup), SUSPECT_AFTER_MS);
    const ended = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]): void => {
      this.end(name, error, addresses);
      const all = [...name.waiting];
      name.waiting.clear();
      for (const answered of all) answered();
    };
    this.deps.lookUp(name.hostname, (error, addresses) => {
      clearTimeout(suspect);
      name.isSlow = this.deps.now() - startedMs > SLOW_AFTER_MS;
      if (error === null) ended(null, addresses);
      else health.judge(error, lookup, (judged) => ended(judged, []));
      // The thread is free, even while the error is still being judged.
      slots.leave(tenant);
    });
    return true;
  }

  private end(name: Name, error: NodeJS.ErrnoException | null, addresses: LookupAddress[]): void {
    const now = this.deps.now();
    name.isRunning = false;
    name.error = error;
    name.expiresAtMs = now + (error === null ? KEPT_MS : FAILURE_KEPT_MS);
    const isAnswer = error === null || NOT_THERE.has(error.code ?? '');
    if (isAnswer) {
      name.addresses = error === null ? addresses : [];
      name.foundAtMs = now;
    }
    this.deps.onLookup(error === null ? 'found' : isAnswer ? 'not_found' : 'failed');
  }

  private answer(name: Name, found: Found): void {
    if (name.error === null || this.hasStale(name)) found(null, name.addresses);
    else found(name.error, []);
  }

  private hasStale(name: Name): boolean {
    return name.addresses.length > 0 && this.deps.now() < name.foundAtMs + STALE_MAX_MS;
  }
}

const NOT_THERE: ReadonlySet<string> = new Set(['ENOTFOUND', 'ENODATA']);

function isAsked({ isRunning, lines, waiting }: Name): boolean {
  return isRunning || lines.size > 0 || waiting.size > 0;
}

function timedOut(hostname: string): NameLookupError {
  return new NameLookupError('POSTHORN_NAME_TIMEOUT', `${hostname} was not looked up in time`);
}

function tooMany(): NameLookupError {
  return new NameLookupError('POSTHORN_NAMES_FULL', 'too many names are being looked up');
}

/**
 * Uses the system's resolver: `/etc/hosts` and search domains count. It occupies a thread until it
 * ends.
 */
export function lookUpBySystem(hostname: string, found: Found): void {
  lookup(hostname, { all: true, hints: ADDRCONFIG }, found);
}

/**
 * Looks up the names of receivers for all tenants of a worker. The system's resolver (getaddrinfo) works in a few
 * threads, and a name whose servers do not answer holds one for 10 s and more, whoever still waits for it: so
 * tenants share them fairly, and names that were slow have a few of their own (ADR 0024).
 *
 * A name is: not known -> asked for (waits in the lines of the tenants that ask) -> looked up, by one thread at
 * most -> known for a short while, its address or that it was not found -> known no more. While the resolver
 * fails or is late, the last address that it gave stands in, as RFC 8767 has it; that a name does not exist is an
 * answer, and ends this. Nothing is judged here: what may be dialled is asked anew at each dial.
 *
 * Limits: `limits.namesKeptMax` names, of which a tenant has at most its share (`SharedLru`); its least recently used goes
 * first, also out of a line where nobody waits any more: its lines are long while its name servers do not answer.
 */
import { ADDRCONFIG, type LookupAddress, lookup } from 'node:dns';
import { limits } from '#domain/limits.ts';
import { SharedLru } from '#domain/bounds/shared-lru.ts';
import { type ResolverHealth, resolverDown } from './resolver-health.ts';
import { FairSlots } from './fair-semaphore.ts';

export type Found = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void;

/**
 * Finds the addresses of a name, and tells them after it has returned.
 *
 * @param timeoutMs after which `found` is told a NameLookupError
 */
export type FindAddresses = (hostname: string, timeoutMs: number, found: Found) => void;

/** No answer about a name was there in time, or there is no room to ask for it. */
export class NameLookupError extends Error {
  readonly code: 'POSTHORN_NAME_TIMEOUT' | 'POSTHORN_NAMES_FULL';
  constructor(code: NameLookupError['code'], message: string) {
    super(message);
    this.name = 'NameLookupError';
    this.code = code;
  }
}

/**
 * Of the 16 look-ups that Node makes at once with `UV_THREADPOOL_SIZE=32`. Two are left to the names of NATS and MongoDB.
 */
const SLOTS = 10;
const SLOTS_FOR_SLOW_NAMES = 4;
/** A name whose last look-up took longer waits for the slots of slow names. */
const SLOW_AFTER_MS = 2000;
/** A look-up that takes longer is a reason to ask whether the resolver is well. */
const SUSPECT_AFTER_MS = 1000;
const KEPT_MS = 10_000;
/** Less than the shortest wait before a retry, which so asks anew. */
const FAILURE_KEPT_MS = 800;
/** How old an address may be that stands in for an answer. */
const STALE_MAX_MS = 300_000;
/** How long an answer is waited for where such an address is there (the client response timer of RFC 8767). */
const STALE_AFTER_MS = 1800;

export interface NameLookupsDeps {
  /** @param found called once, and not before this returns */
  lookUp: (hostname: string, found: Found) => void;
  /** Monotonic, in milliseconds. */
  now: () => number;
  onLookup: (outcome: 'found' | 'not_found' | 'failed') => void;
  health: ResolverHealth;
}

interface Name {
  hostname: string;
  /** Those that were found last. */
  addresses: LookupAddress[];
  foundAtMs: number;
  /** What the last look-up failed with. */
  error: NodeJS.ErrnoException | null;
  /** Until then nobody asks again. */
  knownUntilMs: number;
  /** Since when somebody has been asking, while somebody does. */
  askedAtMs: number;
  isSlow: boolean;
  isRunning: boolean;
  /** In whose lines it waits. */
  lines: Set<string>;
  waiting: Set<() => void>;
}

export class NameLookups {
  private readonly deps: NameLookupsDeps;
  private readonly slots = new FairSlots(SLOTS);
  private readonly slowSlots = new FairSlots(SLOTS_FOR_SLOW_NAMES);
  private readonly names = new SharedLru<Name>({
    max: limits.namesKeptMax,
    mayGo: ({ isRunning, waiting }) => !isRunning && waiting.size === 0,
  });

  constructor(deps: NameLookupsDeps) {
    this.deps = deps;
  }

  /** For the dials of one tenant. */
  of(tenant: string): FindAddresses {
    return (hostname, timeoutMs, found) => {
      const name = this.nameOf(tenant, hostname);
      if (name === undefined) process.nextTick(found, tooMany(), []);
      else if (this.deps.now() < name.knownUntilMs) {
        process.nextTick(() => this.tell(name, found));
      } else {
        if (!isAsked(name)) name.askedAtMs = this.deps.now();
        this.wait(name, timeoutMs, found);
        this.enter(name, tenant);
      }
    };
  }

  /** Undefined where all that this tenant may have are waited for or looked up at this moment. */
  private nameOf(tenant: string, hostname: string): Name | undefined {
    const known = this.names.get(hostname);
    if (known !== undefined) return known;
    const name: Name = {
      hostname,
      addresses: [],
      foundAtMs: 0,
      error: null,
      knownUntilMs: Number.NEGATIVE_INFINITY,
      askedAtMs: 0,
      isSlow: false,
      isRunning: false,
      lines: new Set(),
      waiting: new Set(),
    };
    return this.names.set(tenant, hostname, name) ? name : undefined;
  }

  /** Puts a name into the line of a tenant. Others' lines may be shorter: it waits in each that asks. */
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
      this.tell(name, found);
    };
    const late = (): void => {
      name.waiting.delete(answered);
      if (this.hasStale(name)) found(null, name.addresses);
      else found(this.deps.health.isDown ? resolverDown() : timedOut(name.hostname), []);
    };
    const timer = setTimeout(late, Math.max(0, Math.min(timeoutMs, staleAtMs - now)));
    name.waiting.add(answered);
  }

  /** The name's turn has come in a tenant's line: false where there is nothing to look up any more. */
  private begin(name: Name, tenant: string, slots: FairSlots): boolean {
    name.lines.delete(tenant);
    const startedMs = this.deps.now();
    if (name.isRunning || startedMs < name.knownUntilMs) return false;
    // It had to make room meanwhile, and may have been asked for anew since.
    if (this.names.peek(name.hostname) !== name) return false;
    // The turn of a slow name, or of one whose last address stands in, may come after all who asked have gone: the
    // answer serves the next.
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
      // Its thread is free, also where the error is still being judged.
      slots.leave(tenant);
    });
    return true;
  }

  private end(name: Name, error: NodeJS.ErrnoException | null, addresses: LookupAddress[]): void {
    const now = this.deps.now();
    name.isRunning = false;
    name.error = error;
    name.knownUntilMs = now + (error === null ? KEPT_MS : FAILURE_KEPT_MS);
    const isAnswer = error === null || NOT_THERE.has(error.code ?? '');
    if (isAnswer) {
      name.addresses = error === null ? addresses : [];
      name.foundAtMs = now;
    }
    this.deps.onLookup(error === null ? 'found' : isAnswer ? 'not_found' : 'failed');
  }

  private tell(name: Name, found: Found): void {
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

/** By the system's resolver: `/etc/hosts` and search domains count, and a thread is taken until it ends. */
export function lookUpBySystem(hostname: string, found: Found): void {
  lookup(hostname, { all: true, hints: ADDRCONFIG }, found);
}

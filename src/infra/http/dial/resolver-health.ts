/**
 * Decides whether a look-up failed by a fault of this machine or of the name's own servers. A
 * tenant whose name servers are broken is at fault itself. The machine's resolver counts as down
 * only if look-ups of several tenants fail within half a minute and a control name gets no
 * answer either. The answer that the control name does not exist is an answer too.
 *
 * States: up -> down -> up, by each answer to a control query. `down` ends by itself when there are
 * no more look-ups. Limits: one control query at a time; after an answer, the next one only when
 * look-ups of two more tenants fail. While the resolver is down, one query every 2 s.
 * `TENANTS_KEPT_MAX` tenants with failed look-ups are kept.
 *
 * A process without descriptors reads no `/etc/hosts` and reaches no name server. getaddrinfo then
 * reports of every name, also of `localhost`, that it does not exist. Such answers are ignored.
 */
import { Resolver } from 'node:dns/promises';
import { type LocalFault, localFaultOf } from './local-fault.ts';

/** A look-up that failed by a fault of this machine. */
export class LocalLookupError extends Error {
  readonly code: string;
  constructor(code: 'EMFILE' | 'POSTHORN_RESOLVER_DOWN', message: string) {
    super(message);
    this.name = 'LocalLookupError';
    this.code = code;
  }
}

export interface FailedLookup {
  hostname: string;
  /** The tenant whose dial started the look-up. */
  tenant: string;
  /** By the clock of the deps. */
  startedMs: number;
}

export interface ResolverHealthDeps {
  /**
   * Whether the machine's name servers answer a query for the control name. Bounded in time; does
   * not reject.
   */
  askControl: () => Promise<boolean>;
  isOutOfDescriptors: () => boolean;
  /** Monotonic, in milliseconds. */
  now: () => number;
}

/** How long a failed look-up counts together with those of other tenants. */
const WINDOW_MS = 30_000;
/** Interval of control queries while the resolver is down. */
const POLL_MS = 2000;
/** How long `down` lasts without another control query. */
const DOWN_MS = 10_000;
const TENANTS_KEPT_MAX = 16;

const ANSWERS: ReadonlySet<string> = new Set(['ENOTFOUND', 'ENODATA']);

export class ResolverHealth {
  private readonly deps: ResolverHealthDeps;
  /** The last failed name of each tenant; the latest is last. */
  private readonly failures = new Map<string, { hostname: string; atMs: number }>();
  private answered = true;
  private askedAtMs = Number.NEGATIVE_INFINITY;
  private isAsking = false;
  private readonly whenAnswered: (() => void)[] = [];
  private outOfDescriptorsAtMs = Number.NEGATIVE_INFINITY;

  constructor(deps: ResolverHealthDeps) {
    this.deps = deps;
  }

  /** Whether the machine's resolver is known to be down. */
  get isDown(): boolean {
    return !this.answered && this.deps.now() < this.askedAtMs + DOWN_MS;
  }

  /** Records a local fault of a dial: concurrent look-ups failed by it too. */
  noteFault(fault: LocalFault): void {
    if (fault === 'descriptors') this.outOfDescriptorsAtMs = this.deps.now();
  }

  /** Records a look-up that has been without an answer for a while. */
  suspect({ hostname, tenant }: FailedLookup): void {
    this.failed(hostname, tenant);
  }

  /**
   * Passes on the error of a failed look-up, or replaces it by a `LocalLookupError`.
   *
   * @param done called immediately, or after the answer to a control query if one is needed
   */
  judge(
    error: NodeJS.ErrnoException,
    lookup: FailedLookup,
    done: (error: NodeJS.ErrnoException) => void,
  ): void {
    const { deps } = this;
    if (localFaultOf(error) !== undefined) return done(error);
    if (this.outOfDescriptorsAtMs >= lookup.startedMs || deps.isOutOfDescriptors()) {
      return done(new LocalLookupError('EMFILE', 'no descriptor was left for the look-up'));
    }
    if (ANSWERS.has(error.code ?? '')) return done(error);
    const report = (): void => done(this.isDown ? resolverDown() : error);
    if (this.failed(lookup.hostname, lookup.tenant)) this.whenAnswered.push(report);
    else report();
  }

  /** @returns whether a control query is in flight */
  private failed(hostname: string, tenant: string): boolean {
    const now = this.deps.now();
    this.failures.delete(tenant);
    this.failures.set(tenant, { hostname, atMs: now });
    for (const [other, { atMs }] of this.failures) {
      const isOld = atMs < now - WINDOW_MS;
      if (isOld || this.failures.size > TENANTS_KEPT_MAX) this.failures.delete(other);
    }
    if (this.isAsking) return true;
    const names = new Set([...this.failures.values()].map((failure) => failure.hostname));
    const isKnown = !this.answered && now < this.askedAtMs + POLL_MS;
    if (names.size < 2 || isKnown) return false;
    void this.ask();
    return true;
  }

  private async ask(): Promise<void> {
    this.isAsking = true;
    const answered = await this.deps.askControl();
    this.answered = answered;
    this.askedAtMs = this.deps.now();
    this.isAsking = false;
    if (answered) this.failures.clear();
    for (const report of this.whenAnswered.splice(0)) report();
  }
}

/** The error of a look-up while the machine's resolver is down. */
export function resolverDown(): LocalLookupError {
  return new LocalLookupError(
    'POSTHORN_RESOLVER_DOWN',
    "this machine's name servers do not answer",
  );
}

/**
 * Queries the machine's name servers (`resolv.conf`) for a name, without the system's resolver,
 * which would hold a thread for 10 s and more. Takes at most 3 s for each server.
 *
 * @returns whether one of them answered; "does not exist" is an answer too
 */
export async function nameServersAnswer(name: string): Promise<boolean> {
  const resolver = new Resolver({ timeout: 1000, tries: 2 });
  try {
    await resolver.resolve4(name);
    return true;
  } catch (error) {
    return ANSWERS.has((error as NodeJS.ErrnoException).code ?? '');
  }
}

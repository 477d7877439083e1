import type { LookupAddress } from 'node:dns';
import type { TestContext } from 'node:test';
import { ResolverHealth } from '#infra/http/dial/resolver-health.ts';
import { type Found, DnsCache } from '#infra/http/dial/dns-cache.ts';

/** Waits until failures of several tenants have been judged, which takes a control query. */
export const judged = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export const at = (address: string): LookupAddress[] => [{ address, family: 4 }];

export function failure(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`getaddrinfo ${code}`), { code });
}

/** Look-ups that end when the test says so, on the test's clock; timers are mocked too. */
export function startNames(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const clock = { nowMs: 0 };
  const outcomes: string[] = [];
  const running = new Map<string, Found>();
  const begun: string[] = [];
  /** The state of the control name. */
  const control = { answers: true, requested: 0 };
  const health = new ResolverHealth({
    askControl: () => {
      control.requested++;
      return Promise.resolve(control.answers);
    },
    isOutOfDescriptors: () => false,
    now: () => clock.nowMs,
  });
  const names = new DnsCache({
    health,
    lookUp: (hostname, found) => {
      begun.push(hostname);
      running.set(hostname, found);
    },
    now: () => clock.nowMs,
    onLookup: (outcome) => outcomes.push(outcome),
  });
  const end = (hostname: string, ...answer: Parameters<Found>): void => {
    const found = running.get(hostname);
    running.delete(hostname);
    found?.(...answer);
  };
  /** Finds an address, or the code of an error. */
  const find = (tenant: string, hostname: string): Promise<string> =>
    new Promise((resolve) => {
      const answer: Found = (error, addresses) =>
        resolve(error === null ? String(addresses[0]?.address) : String(error.code));
      names.of(tenant)(hostname, TIMEOUT_MS, answer);
    });
  return { clock, control, health, outcomes, running, begun, names, end, find };
}

export const TIMEOUT_MS = 15_000;

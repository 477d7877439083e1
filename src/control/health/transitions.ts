/**
 * Computes the steps that follow from an endpoint's health (DL-11). Pure: it uses the times of
 * attempts, never a clock, so the same records lead to the same steps, whenever and however often
 * they are evaluated.
 *
 * States of an endpoint, by the last announcement in its present period of failures (`announced`):
 *
 *     quiet ──50 %──> warned 50 ──75 %──> warned 75 ──90 %──> warned 90 ──100 %──> disabled
 *       ^                 │                   │                   │                    │
 *       └──── recover: an attempt succeeded after the period began ────────────────────┘
 *
 * The period begins at the first failure after the last success. It begins later if the endpoint
 * was created, activated or moved to another URL later (`countFromMs`): earlier failures do not
 * count. Its length is measured up to the last failure, not to now: an endpoint without attempts is
 * not failing. Steps may be skipped, with one exception: an endpoint is disabled only after a
 * warning in the same period. An endpoint that is not active is neither warned nor disabled.
 * Activated again after `disabled`, it starts as quiet; its first success announces the recovery.
 */
export const WARNING_LEVELS = [50, 75, 90] as const;
export const DISABLED_LEVEL = 100;

/** Milliseconds since 1970; null: there was none. */
export interface HealthFacts {
  failingSinceMs: number | null;
  lastFailureMs: number | null;
  lastSuccessMs: number | null;
}

export interface Announcement {
  episodeMs: number;
  level: number;
  /** When the announced failure happened. */
  atMs: number;
}

export interface HealthRules {
  active: boolean;
  countFromMs: number;
  disableAfterMs: number;
}

export type Transition =
  | { kind: 'warn'; episodeMs: number; level: number }
  | { kind: 'disable'; episodeMs: number }
  | { kind: 'recover'; episodeMs: number };

/** Returns the next step; undefined if no step is due. Call it again after a `recover`. */
export function nextTransition(
  facts: HealthFacts,
  announced: Announcement | null,
  rules: HealthRules,
): Transition | undefined {
  if (announced !== null && (facts.lastSuccessMs ?? 0) > announced.episodeMs) {
    return { kind: 'recover', episodeMs: announced.episodeMs };
  }
  const sinceMs = failingSince(facts, rules);
  if (sinceMs === null || !rules.active) return undefined;
  const level =
    announced !== null && announced.episodeMs >= rules.countFromMs ? announced.level : 0;
  // An earlier first failure that becomes known later does not start another period.
  const episodeMs = level > 0 && announced !== null ? announced.episodeMs : sinceMs;
  const lastFailureMs = facts.lastFailureMs ?? 0;
  const percent = ((lastFailureMs - sinceMs) / rules.disableAfterMs) * 100;
  const warned = level > 0 && lastFailureMs > (announced?.atMs ?? 0);
  if (percent >= DISABLED_LEVEL && warned && level < DISABLED_LEVEL) {
    return { kind: 'disable', episodeMs };
  }
  const reached = WARNING_LEVELS.findLast((each) => percent >= each);
  if (reached === undefined || reached <= level) return undefined;
  return { kind: 'warn', episodeMs, level: reached };
}

/** Returns when the present period of failures began; null if there is none. */
export function failingSince(facts: HealthFacts, rules: HealthRules): number | null {
  const { failingSinceMs, lastFailureMs } = facts;
  if (failingSinceMs === null || lastFailureMs === null) return null;
  return lastFailureMs < rules.countFromMs ? null : Math.max(failingSinceMs, rules.countFromMs);
}

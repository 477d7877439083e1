import { limits } from '#domain/limits.ts';

/**
 * Deliveries that wait longer than this do not return through a lane. Parking takes at most 60 s
 * plus 50 % jitter.
 */
export const LANE_RETURN_MS = 90_000;

/** When a tenant gets a lane and when it loses it. */
export interface LaneRules {
  /** How often the tenants' load is evaluated. */
  evaluateEveryMs: number;
  /** How often consumers, keys and stored messages are reconciled. */
  reconcileEveryMs: number;
  /** A tenant is under pressure from this many congested deliveries a second. */
  congestedPerSecond: number;
  /**
   * A tenant is busy from this many deliveries a second, in `busyPeriods` consecutive evaluations.
   */
  busyPerSecond: number;
  busyPeriods: number;
  /** A tenant is quiet below this many deliveries a second and with no larger backlog. */
  quietPerSecond: number;
  /** The lane of a tenant that has been quiet for this long is withdrawn. */
  quietMs: number;
  /** Minimum age of a lane before a tenant under more pressure may take its place. */
  keptMs: number;
  /**
   * Minimum time from the withdrawal of a lane to the removal of its consumer. It exceeds the delay
   * of the routers' watch and the longest time until a parked delivery returns (`LANE_RETURN_MS`
   * plus late schedules).
   */
  graceMs: number;
  lanesMax: number;
}

export const LANE_RULES: LaneRules = {
  evaluateEveryMs: 1000,
  reconcileEveryMs: 5000,
  congestedPerSecond: 50,
  busyPerSecond: 500,
  busyPeriods: 3,
  quietPerSecond: 100,
  quietMs: 60_000,
  keptMs: 30_000,
  graceMs: LANE_RETURN_MS + 30_000,
  lanesMax: limits.lanesPerShardMax,
};

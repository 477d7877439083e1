import { limits } from '#domain/limits.ts';

/**
 * What waits for longer than this does not come back by a lane: parking takes at most 60 s, and half as much again
 * by chance.
 */
export const LANE_RETURN_MS = 90_000;

/** When a tenant gets a lane, and when it loses it. */
export interface LaneRules {
  /** How often the load of the tenants is looked at. */
  lookEveryMs: number;
  /** How often consumers, keys and stored messages are compared. */
  compareEveryMs: number;
  /** Deliveries of a tenant in a second that found no room, from which on it is under pressure. */
  pressedPerSecond: number;
  /** Deliveries of a tenant in a second, from which on it is busy, and for how many looks in a row. */
  busyPerSecond: number;
  busyLooks: number;
  /** Less than this in a second and no backlog: quiet. */
  quietPerSecond: number;
  /** Quiet for so long: the lane is withdrawn. */
  quietMs: number;
  /** A lane is kept for so long before a tenant under more pressure may take its place. */
  keptMs: number;
  /**
   * From the withdrawal to the removal of the consumer, at least: longer than a router hears late, and than what was
   * parked takes to come back (`LANE_RETURN_MS`, and what schedules fire late).
   */
  graceMs: number;
  lanesMax: number;
}

export const LANE_RULES: LaneRules = {
  lookEveryMs: 1000,
  compareEveryMs: 5000,
  pressedPerSecond: 50,
  busyPerSecond: 500,
  busyLooks: 3,
  quietPerSecond: 100,
  quietMs: 60_000,
  keptMs: 30_000,
  graceMs: LANE_RETURN_MS + 30_000,
  lanesMax: limits.lanesPerShardMax,
};

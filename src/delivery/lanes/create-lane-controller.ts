import type { Registry } from 'prom-client';
import { type LaneBrokerDeps, createLaneBroker } from './lane-broker.ts';
import { LaneController, type LaneControllerDeps } from './lane-controller.ts';
import { LaneMetrics } from './lane-metrics.ts';
import { LANE_RULES, type LaneRules } from './lane-rules.ts';

type Deps = Omit<LaneBrokerDeps, 'shard'> &
  Pick<LaneControllerDeps, 'takeLoads'> & { registry: Registry; laneRules?: LaneRules };

/** Creates the lanes of a worker, on NATS. */
export function createLaneController(deps: Deps): LaneController {
  return new LaneController({
    ...deps,
    broker: (shard) => createLaneBroker({ ...deps, shard }),
    rules: deps.laneRules ?? LANE_RULES,
    metrics: new LaneMetrics(deps.registry),
  });
}

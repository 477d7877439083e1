import { jetstreamManager } from '@nats-io/jetstream';
import { configurationOf } from '#infra/mongo/configuration.ts';
import { historyOf } from '#infra/mongo/documents.ts';
import { healthStoreOf } from '#infra/mongo/endpoint-health.ts';
import { issueStoreOf } from '#infra/mongo/issues/issues.ts';
import { metricCellsOf } from '#infra/mongo/metrics/metric-cells.ts';
import { replayStoreOf } from '#infra/mongo/replays/replay-store.ts';
import { systemClock } from '#infra/system-clock.ts';
import { createLog } from '#infra/telemetry/log.ts';
import { CurrentLives } from '#src/control/lives/current-lives.ts';
import { TenantPurger, type TenantPurgerDeps } from '#src/control/lives/tenant-purger.ts';
import type { ControlPlane } from '../control-plane.ts';

/** The part of a control process that removes ended lives, with the replacements of a test. */
export function makePurger(
  plane: ControlPlane,
  changes: Partial<TenantPurgerDeps> = {},
): TenantPurger {
  const configuration = configurationOf(plane.db);
  return new TenantPurger({
    configuration,
    lives: new CurrentLives(configuration),
    history: historyOf(plane.db),
    ...healthStoreOf(plane.db),
    metricCells: metricCellsOf(plane.db),
    replays: replayStoreOf(plane.db),
    issueStore: issueStoreOf(plane.db),
    payloads: plane.payloads,
    jsm: () => jetstreamManager(plane.nc, { checkAPI: false }),
    shards: 1,
    log: createLog('silent'),
    clock: systemClock,
    ...changes,
  });
}

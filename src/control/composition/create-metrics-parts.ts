/** The parts that count the history: metrics (CT-7) and issues (CT-15). */
import { historyOf } from '#infra/mongo/documents.ts';
import { metricCellsOf } from '#infra/mongo/metrics/metric-cells.ts';
import { CellMarker } from '../metrics/cell-marker.ts';
import { FairSearches } from '../history/fair-searches.ts';
import type { CurrentLives } from '../lives/current-lives.ts';
import { Rollup } from '../metrics/rollup.ts';
import { MetricReads } from '../metrics/metric-reads.ts';
import type { Health } from './create-configuration-parts.ts';
import type { Reads } from './create-history-parts.ts';
import { issueStoreOf } from '#infra/mongo/issues/issues.ts';
import { IssueCounter } from '../issues/issue-counter.ts';
import { Issues } from '../issues/issues.ts';
import type { ControlDeps } from './control-deps.ts';

export interface Metrics {
  marker: CellMarker;
  rollup: Rollup;
  reads: MetricReads;
}

export function createMetrics(
  { settings, mongo, db, clock, log }: ControlDeps,
  lives: CurrentLives,
): Metrics {
  const cells = metricCellsOf(db);
  const { historyRetentionSeconds } = settings;
  const marker = new CellMarker({ cells, historyRetentionSeconds, clock });
  return {
    marker,
    // Their own turns: a search of the history does not delay a chart.
    reads: new MetricReads({ cells, lives, searches: new FairSearches(), clock }),
    rollup: new Rollup({ mongo, history: historyOf(db), cells, marker, clock, log }),
  };
}

export function createIssues(
  { db, config, clock, log }: ControlDeps,
  { history, searches }: Reads,
  { disabling }: Health,
): { issues: Issues; counter: IssueCounter } {
  const { store, operatorTenant, lives } = disabling;
  const issueStore = issueStoreOf(db);
  const deps = { store, operatorTenant, lives, config, clock, issueStore };
  return {
    issues: new Issues({ ...deps, searches }),
    counter: new IssueCounter({ ...deps, history, log }),
  };
}

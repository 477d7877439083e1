/** The parts that count the history in cells, and read them (CT-7). */
import { historyOf } from '#infra/mongo/documents.ts';
import { metricCellsOf } from '#infra/mongo/metrics/metric-cells.ts';
import { CellMarker } from '../metrics/cell-marker.ts';
import { FairSearches } from '../history/fair-searches.ts';
import type { CurrentLives } from '../lives/current-lives.ts';
import { Rollup } from '../metrics/rollup.ts';
import { MetricReads } from '../metrics/metric-reads.ts';
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

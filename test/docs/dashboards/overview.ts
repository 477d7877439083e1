import { type Dashboard, type Panel, ofQueues, percentiles, rate } from './panel.ts';
import { ATTEMPTS, PENDING, attempts, ingest, lag } from './shared-panels.ts';

/** The rate at which the error budget of an objective is spent: at 1 it lasts exactly 30 days. */
const burn = (objective: string, budget: number): Panel => ({
  title: `Budget of ${objective} being spent`,
  says: '1: as fast as 30 days allow. 14.4 in 5 minutes and in an hour pages, 6 in 30 minutes and in 6 hours opens a ticket.',
  unit: 'short',
  thresholds: { warn: 6, alarm: 14.4 },
  queries: ['5m', '1h'].map((window) => [
    `posthorn:slo_${objective}:errors_ratio_${window} / ${budget}`,
    window,
  ]),
});

export const overview: Dashboard = {
  name: 'overview',
  title: 'overview',
  panels: [
    {
      title: 'Accepted',
      as: 'stat',
      unit: 'cps',
      queries: [[rate('posthorn_ingress_events_total{result="accepted"}'), 'events']],
    },
    {
      title: 'Delivered',
      as: 'stat',
      unit: 'cps',
      queries: [[rate(`${ATTEMPTS}{outcome="success"}`), 'deliveries']],
    },
    {
      title: 'Oldest that waits',
      as: 'stat',
      unit: 's',
      thresholds: { warn: 30, alarm: 120 },
      queries: [['max(posthorn_consumer_oldest_seconds)', 'oldest']],
    },
    {
      title: 'Shards without an owner',
      as: 'stat',
      unit: 'short',
      thresholds: { alarm: 1 },
      queries: [['sum(max by (role) (posthorn_shards_unowned))', 'shards']],
    },
    burn('availability', 0.0001),
    burn('promptness', 0.05),
    burn('soundness', 0.0001),
    burn('arrival', 0.001),
    {
      title: "The probe's rounds, by result",
      says: 'A whole delivery: published, routed, sent, verified. lost: it did not arrive within 10 s.',
      unit: 'cps',
      queries: [
        [rate('posthorn_probe_rounds_total', 'result'), '{{result}}'],
        [rate('posthorn_probe_late_total'), 'late'],
      ],
    },
    {
      title: 'What the probe sends, and what its receiver refuses',
      says: 'Refused: not signed by the secret that it made. After four lost events in a row a shard gets one every two minutes.',
      unit: 'cps',
      queries: [
        [rate('posthorn_probe_sent_total'), 'sent'],
        [rate('posthorn_probe_invalid_total'), 'refused'],
      ],
    },
    {
      title: "How long the probe's deliveries take",
      unit: 's',
      queries: percentiles('posthorn_probe_duration_seconds'),
    },
    {
      title: 'Since the probe last came through, by shard',
      says: 'Over 120 s pages: the path is broken in that shard.',
      unit: 's',
      thresholds: { alarm: 120 },
      queries: [
        [
          'time() - max by (shard) (posthorn_probe_last_success_timestamp_seconds)',
          'shard {{shard}}',
        ],
      ],
    },
    ingest,
    attempts,
    lag,
    {
      title: 'Not given out yet, by consumer',
      unit: 'short',
      queries: [[`sum by (consumer) (${PENDING})`, '{{consumer}}']],
    },
    {
      title: 'Deliveries that wait for a time, an endpoint or their turn',
      unit: 'short',
      queries: [[`sum(${ofQueues('posthorn_deliveries_waiting', 'stream')})`, 'waiting']],
    },
  ],
};

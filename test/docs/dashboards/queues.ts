import { type Dashboard, ofQueues, rate } from './panel.ts';
import { OLDEST, PENDING, UNACKED } from './shared-panels.ts';

export const queues: Dashboard = {
  name: 'queues',
  title: 'queues',
  panels: [
    {
      title: 'Age of the oldest, router and delivery',
      says: 'deliver-again alone: many retries are due, and new deliveries do not wait for them. lanes alone: one tenant’s own backlog.',
      unit: 's',
      thresholds: { warn: 30, alarm: 120 },
      queries: [[`max by (consumer) (${OLDEST})`, '{{consumer}}']],
    },
    {
      title: 'Age of the oldest, the ten worst',
      unit: 's',
      queries: [[`topk(10, ${OLDEST})`, '{{stream}} {{consumer}}']],
    },
    {
      title: 'Not given out yet, the ten most',
      unit: 'short',
      queries: [[`topk(10, ${PENDING})`, '{{stream}} {{consumer}}']],
    },
    {
      title: 'Given out and not acknowledged, the ten most',
      unit: 'short',
      queries: [[`topk(10, ${UNACKED})`, '{{stream}} {{consumer}}']],
    },
    {
      title: 'Messages, by stream',
      unit: 'short',
      queries: [[ofQueues('posthorn_stream_messages', 'stream'), '{{stream}}']],
    },
    {
      title: 'Bytes, by stream',
      says: 'A stream DLV-k has no limit: pending deliveries are never dropped.',
      unit: 'bytes',
      queries: [[ofQueues('posthorn_stream_bytes', 'stream'), '{{stream}}']],
    },
    {
      title: 'Events of tenants that are behind, by stream',
      says: 'Events come faster than the tenant’s filters and fan-out allow. Other tenants do not wait for them.',
      unit: 'short',
      queries: [
        [ofQueues('posthorn_router_behind_events', 'stream'), '{{stream}}: events'],
        [ofQueues('posthorn_router_behind_tenants', 'stream'), '{{stream}}: tenants'],
      ],
    },
    {
      title: 'Age of the oldest event of a tenant that is behind, by stream',
      unit: 's',
      queries: [[ofQueues('posthorn_router_behind_oldest_seconds', 'stream'), '{{stream}}']],
    },
    {
      title: 'Used share of the bounds of streams',
      says: 'From 85 % on, the oldest messages that no reader needs are removed early.',
      unit: 'percentunit',
      thresholds: { warn: 0.8, alarm: 0.92 },
      queries: [
        [
          `${ofQueues('posthorn_stream_bytes', 'stream')} / ${ofQueues('posthorn_stream_bytes_max', 'stream')}`,
          '{{stream}}',
        ],
      ],
    },
    {
      title: 'Replay window, and messages removed early',
      unit: 's',
      queries: [
        [ofQueues('posthorn_replay_window_seconds', 'stream'), '{{stream}}: oldest event'],
        [rate('posthorn_stream_purged_early_messages_total', 'stream'), '{{stream}}: removed'],
      ],
    },
    {
      title: 'Storage as ingress sees it',
      says: 'From 90 % on events are refused, until less than 87 % is used.',
      unit: 'percentunit',
      thresholds: { warn: 0.85, alarm: 0.9 },
      queries: [
        ['max(posthorn_ingress_storage_used_ratio)', 'used'],
        ['max(posthorn_ingress_storage_refusing)', 'refuses'],
      ],
    },
    {
      title: 'Waiting for a time, an endpoint or their turn, by stream',
      unit: 'short',
      queries: [[ofQueues('posthorn_deliveries_waiting', 'stream'), '{{stream}}']],
    },
    {
      title: 'Processes, and shards without an owner',
      unit: 'short',
      queries: [
        [ofQueues('posthorn_workers', 'role'), '{{role}}: processes'],
        [ofQueues('posthorn_shards_unowned', 'role'), '{{role}}: shards without'],
      ],
    },
  ],
};

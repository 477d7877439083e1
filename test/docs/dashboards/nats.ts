import { type Dashboard, rate } from './panel.ts';

/** A stream of one broker, as `stream_name`. */
const BEHIND =
  'max by (stream_name) (nats_stream_last_seq) - min by (stream_name) (nats_stream_last_seq)';

/** The brokers by their exporter, and the connections of Posthorn's processes to them. */
export const nats: Dashboard = {
  name: 'nats',
  title: 'NATS',
  readsBrokers: true,
  panels: [
    {
      title: 'Brokers that answer',
      as: 'stat',
      unit: 'short',
      queries: [['count(nats_server_jetstream_disabled == 0)', 'brokers']],
    },
    {
      title: 'Processes not connected',
      as: 'stat',
      unit: 'short',
      thresholds: { alarm: 1 },
      queries: [['count(posthorn_nats_up == 0) or vector(0)', 'processes']],
    },
    {
      title: 'Storage of JetStream',
      says: 'Over 70 % opens a ticket, over 85 % pages.',
      unit: 'percentunit',
      thresholds: { warn: 0.7, alarm: 0.85 },
      queries: [
        [
          'max by (server_name) (nats_server_total_message_bytes / (nats_server_max_storage > 0))',
          '{{server_name}}',
        ],
      ],
    },
    {
      title: 'Replicas behind, in messages, the ten most',
      says: 'Brokers are scraped at different times, so some messages are none.',
      unit: 'short',
      queries: [[`topk(10, ${BEHIND})`, '{{stream_name}}']],
    },
    {
      title: 'Messages, by broker',
      unit: 'cps',
      queries: [
        [rate('nats_varz_in_msgs', 'pod'), 'to {{pod}}'],
        [rate('nats_varz_out_msgs', 'pod'), 'from {{pod}}'],
      ],
    },
    {
      title: 'Bytes, by broker',
      unit: 'Bps',
      queries: [
        [rate('nats_varz_in_bytes', 'pod'), 'to {{pod}}'],
        [rate('nats_varz_out_bytes', 'pod'), 'from {{pod}}'],
      ],
    },
    {
      title: 'Connections, by broker',
      unit: 'short',
      queries: [['max by (pod) (nats_varz_connections)', '{{pod}}']],
    },
    {
      title: 'Connections closed because they read too slowly',
      unit: 'cps',
      queries: [[rate('nats_varz_slow_consumers', 'pod'), '{{pod}}']],
    },
    {
      title: 'Memory, by broker',
      unit: 'bytes',
      queries: [['max by (pod) (nats_varz_mem)', '{{pod}}']],
    },
    {
      title: 'Reconnects, by process',
      unit: 'cps',
      queries: [[rate('posthorn_nats_reconnects_total', 'pod'), '{{pod}}']],
    },
    {
      title: 'Not acknowledged by JetStream yet, by process',
      unit: 'short',
      queries: [['max by (pod) (posthorn_nats_pending_publications)', '{{pod}}']],
    },
    {
      title: 'Round trip to JetStream, by process',
      unit: 's',
      thresholds: { warn: 0.1 },
      queries: [['max by (pod) (posthorn_nats_round_trip_seconds)', '{{pod}}']],
    },
  ],
};

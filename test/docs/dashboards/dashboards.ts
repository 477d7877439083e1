import { type Dashboard, type Panel, ofQueues, percentiles, rate } from './panel.ts';

const ATTEMPTS = 'posthorn_delivery_attempts_total';
const OLDEST = ofQueues('posthorn_consumer_oldest_seconds', 'stream, consumer');
const PENDING = ofQueues('posthorn_consumer_pending_messages', 'stream, consumer');
const UNACKED = ofQueues('posthorn_consumer_unacked_messages', 'stream, consumer');

/** How much of an objective's budget is being spent: 1 is as much as the 30 days allow. */
const burn = (objective: string, budget: number): Panel => ({
  title: `Budget of ${objective} being spent`,
  says: '1: as fast as 30 days allow. 14.4 in 5 minutes and in an hour pages, 6 in 30 minutes and in 6 hours makes a ticket.',
  unit: 'short',
  queries: ['5m', '1h'].map((window) => [
    `posthorn:slo_${objective}:errors_ratio_${window} / ${budget}`,
    window,
  ]),
});

const ingest: Panel = {
  title: 'Events taken, by result',
  says: 'not_stored: answered 503. refused: not valid, or not allowed.',
  unit: 'cps',
  queries: [[rate('posthorn_ingress_events_total', 'result'), '{{result}}']],
};
const attempts: Panel = {
  title: 'Attempts, by outcome',
  unit: 'cps',
  queries: [[rate(ATTEMPTS, 'outcome'), '{{outcome}}']],
};
const lag: Panel = {
  title: 'From acceptance to the first attempt',
  unit: 's',
  queries: percentiles('posthorn_delivery_first_attempt_lag_seconds'),
};

const overview: Dashboard = {
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
      queries: [['max(posthorn_consumer_oldest_seconds)', 'oldest']],
    },
    {
      title: 'Shards nobody works on',
      as: 'stat',
      unit: 'short',
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

const delivery: Dashboard = {
  name: 'delivery',
  title: 'delivery',
  panels: [
    attempts,
    {
      title: 'Attempts, by class of status',
      unit: 'cps',
      queries: [[rate(ATTEMPTS, 'status_class'), '{{status_class}}']],
    },
    {
      title: 'Failed attempts, by kind',
      says: 'dns, connect, tls or timeout of most at once is rather our own way out. unexpected is a defect.',
      unit: 'cps',
      queries: [[rate(`${ATTEMPTS}{outcome="failure"}`, 'error_type'), '{{error_type}}']],
    },
    {
      title: 'How long attempts take',
      unit: 's',
      queries: percentiles('posthorn_delivery_attempt_duration_seconds'),
    },
    lag,
    {
      title: 'In flight, by process',
      says: 'At POSTHORN_WORKER_IN_FLIGHT_MAX many receivers are slow at once.',
      unit: 'short',
      queries: [['sum by (pod) (posthorn_delivery_in_flight)', '{{pod}}']],
    },
    {
      title: 'Put off without an attempt, by reason',
      unit: 'cps',
      queries: [[rate('posthorn_delivery_parked_total', 'reason'), '{{reason}}']],
    },
    {
      title: 'Circuits open',
      unit: 'short',
      queries: [['sum(posthorn_delivery_circuits_open)', 'endpoints']],
    },
    {
      title: 'Mailboxes and tenants at work',
      unit: 'short',
      queries: [
        ['sum(posthorn_delivery_mailbox_messages)', 'in mailboxes'],
        ['sum(posthorn_delivery_activations)', 'tenants'],
      ],
    },
    {
      title: 'Lanes, by state',
      says: 'At most 40 of a shard are active.',
      unit: 'short',
      queries: [['sum by (state) (max by (shard, state) (posthorn_delivery_lanes))', '{{state}}']],
    },
    {
      title: 'Lanes given, withdrawn and mended',
      unit: 'cps',
      queries: [
        [rate('posthorn_delivery_lane_promotions_total', 'reason'), 'given: {{reason}}'],
        [rate('posthorn_delivery_lane_demotions_total', 'reason'), 'withdrawn: {{reason}}'],
        [rate('posthorn_delivery_lane_healed_total', 'cause'), 'mended: {{cause}}'],
      ],
    },
    {
      title: 'Ordered endpoints',
      says: 'blocked: its first delivery used up its attempts, and the endpoint is set to wait for somebody.',
      unit: 'short',
      queries: [
        ['sum(posthorn_delivery_ordered_queues)', 'with a queue'],
        ['sum(posthorn_delivery_ordered_blocked)', 'blocked'],
      ],
    },
    {
      title: 'Requests for access tokens',
      unit: 'cps',
      queries: [[rate('posthorn_delivery_token_requests_total', 'outcome'), '{{outcome}}']],
    },
    {
      title: "Look-ups of receivers' names, by outcome",
      says: 'failed: nobody could say, neither yes nor no. Of many names at once it is our own resolver.',
      unit: 'cps',
      queries: [[rate('posthorn_delivery_name_lookups_total', 'outcome'), '{{outcome}}']],
    },
  ],
};

const queues: Dashboard = {
  name: 'queues',
  title: 'queues',
  panels: [
    {
      title: 'Age of the oldest, router and delivery',
      says: 'deliver-again alone: many retries are due, new deliveries do not stand behind them. lanes alone: one tenant’s own backlog.',
      unit: 's',
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
      says: 'A stream DLV-k has no limit: what is owed is never dropped.',
      unit: 'bytes',
      queries: [[ofQueues('posthorn_stream_bytes', 'stream'), '{{stream}}']],
    },
    {
      title: 'Waiting for a time, an endpoint or their turn, by stream',
      unit: 'short',
      queries: [[ofQueues('posthorn_deliveries_waiting', 'stream'), '{{stream}}']],
    },
    {
      title: 'Processes, and shards nobody works on',
      unit: 'short',
      queries: [
        [ofQueues('posthorn_workers', 'role'), '{{role}}: processes'],
        [ofQueues('posthorn_shards_unowned', 'role'), '{{role}}: shards without'],
      ],
    },
  ],
};

const history: Dashboard = {
  name: 'history',
  title: 'history and producers',
  panels: [
    ingest,
    {
      title: 'Refused over NATS without a reply subject',
      unit: 'cps',
      queries: [[rate('posthorn_ingress_rejected_total', 'result'), '{{result}}']],
    },
    {
      title: 'Repeats not looked up, as MongoDB was away',
      says: 'While it grows, repeats of an id are known for 2 minutes only.',
      unit: 'cps',
      queries: [[rate('posthorn_ingress_idempotency_skipped_total'), 'look-ups']],
    },
    {
      title: 'Events routed',
      unit: 'cps',
      queries: [
        [rate('posthorn_router_events_total', 'result'), '{{result}}'],
        [rate('posthorn_broadcast_copies_total'), 'copies of broadcasts'],
      ],
    },
    {
      title: 'Deliveries made',
      unit: 'cps',
      queries: [[rate('posthorn_router_deliveries_total'), 'deliveries']],
    },
    {
      title: 'Documents of the history written',
      unit: 'cps',
      queries: [[rate('posthorn_projector_documents_total', 'kind'), '{{kind}}']],
    },
    {
      title: 'The history could not be written for',
      says: 'Deliveries go on. After 3 days records begin to expire.',
      unit: 's',
      queries: [['max(posthorn_projector_blocked_seconds)', 'blocked']],
    },
    {
      title: 'Age of the oldest record that is not in the history',
      unit: 's',
      queries: [
        [
          `max by (stream) (${OLDEST.replace('seconds', 'seconds{consumer="projector"}')})`,
          '{{stream}}',
        ],
      ],
    },
    {
      title: 'Dead letters, by reason',
      unit: 'cps',
      queries: [[rate('posthorn_projector_dead_letters_total', 'reason'), '{{reason}}']],
    },
  ],
};

/** Prometheus gives the label `job` the name of a process's Service. */
const OURS = '{job=~".*posthorn.*"}';

const processes: Dashboard = {
  name: 'processes',
  title: 'processes',
  panels: [
    {
      title: 'CPU, in cores',
      unit: 'short',
      queries: [[rate(`process_cpu_seconds_total${OURS}`, 'pod'), '{{pod}}']],
    },
    {
      title: 'Memory',
      unit: 'bytes',
      queries: [[`max by (pod) (process_resident_memory_bytes${OURS})`, '{{pod}}']],
    },
    {
      title: 'Heap used',
      unit: 'bytes',
      queries: [[`max by (pod) (nodejs_heap_size_used_bytes${OURS})`, '{{pod}}']],
    },
    {
      title: 'Delay of the event loop, 99 of 100',
      says: 'Over 0.1 s a process is busier than it can be.',
      unit: 's',
      queries: [[`max by (pod) (nodejs_eventloop_lag_p99_seconds${OURS})`, '{{pod}}']],
    },
    {
      title: 'Open files, of those allowed',
      unit: 'percentunit',
      queries: [[`max by (pod) (process_open_fds${OURS} / process_max_fds${OURS})`, '{{pod}}']],
    },
    {
      title: 'Restarts in half an hour',
      unit: 'short',
      queries: [
        [
          'sum by (pod) (increase(kube_pod_container_status_restarts_total{container="posthorn"}[30m]))',
          '{{pod}}',
        ],
      ],
    },
    {
      title: 'Up since',
      unit: 's',
      queries: [[`max by (pod) (time() - process_start_time_seconds${OURS})`, '{{pod}}']],
    },
  ],
};

/** The dashboards of `charts/posthorn/files/dashboards`, which `npm run docs` writes. */
export const dashboards: readonly Dashboard[] = [overview, delivery, queues, history, processes];

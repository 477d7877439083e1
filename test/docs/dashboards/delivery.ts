import { type Dashboard, percentiles, rate } from './panel.ts';
import { ATTEMPTS, attempts, lag } from './shared-panels.ts';

export const delivery: Dashboard = {
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
      says: 'dns, connect, tls or timeout of most at the same time is rather our own way out. unexpected is a defect.',
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
      title: 'Delays of retries',
      says: 'By the schedule of the endpoint with its jitter, or as the receiver asked.',
      unit: 's',
      queries: percentiles('posthorn_delivery_retry_delay_seconds'),
    },
    {
      title: 'In flight, by process',
      says: 'At POSTHORN_WORKER_IN_FLIGHT_MAX many receivers are slow at the same time.',
      unit: 'short',
      queries: [['sum by (pod) (posthorn_delivery_in_flight)', '{{pod}}']],
    },
    {
      title: 'Delayed without an attempt, by reason',
      unit: 'cps',
      queries: [[rate('posthorn_delivery_parked_total', 'reason'), '{{reason}}']],
    },
    {
      title: 'Faults of the machine, by fault',
      says: 'Deliveries that were delayed without counting as attempts.',
      unit: 'cps',
      queries: [[rate('posthorn_delivery_local_faults_total', 'fault'), '{{fault}}']],
    },
    {
      title: 'Circuits open',
      unit: 'short',
      thresholds: { warn: 50 },
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
      title: 'Lanes: promotions, demotions, recreated consumers',
      unit: 'cps',
      queries: [
        [rate('posthorn_delivery_lane_promotions_total', 'reason'), 'given: {{reason}}'],
        [rate('posthorn_delivery_lane_demotions_total', 'reason'), 'withdrawn: {{reason}}'],
        [rate('posthorn_delivery_lane_healed_total', 'cause'), 'recreated: {{cause}}'],
      ],
    },
    {
      title: 'Ordered endpoints',
      says: 'blocked: its first delivery used up its attempts, and the endpoint waits for an operator.',
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
      says: 'failed: the resolver gave no answer. If many names fail at the same time, the fault is in our own resolver.',
      unit: 'cps',
      queries: [[rate('posthorn_delivery_name_lookups_total', 'outcome'), '{{outcome}}']],
    },
  ],
};

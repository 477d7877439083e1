import { type Dashboard, rate } from './panel.ts';
import { OLDEST, ingest } from './shared-panels.ts';

export const history: Dashboard = {
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
      title: 'Repeats not looked up because MongoDB was down',
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
        [rate('posthorn_router_faulty_filter_events_total'), 'not judged: faulty filter'],
        [rate('posthorn_ended_life_dropped_total'), 'dropped: tenant created again'],
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
      says: 'Deliveries continue. After 3 days records begin to expire.',
      unit: 's',
      thresholds: { warn: 300, alarm: 172_800 },
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

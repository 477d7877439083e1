import { type Dashboard, rate } from './panel.ts';

export const processes: Dashboard = {
  name: 'processes',
  title: 'processes',
  panels: [
    {
      title: 'CPU, in cores',
      unit: 'short',
      queries: [[rate('process_cpu_seconds_total', 'pod'), '{{pod}}']],
    },
    {
      title: 'Memory',
      unit: 'bytes',
      queries: [['max by (pod) (process_resident_memory_bytes)', '{{pod}}']],
    },
    {
      title: 'Heap used',
      unit: 'bytes',
      queries: [['max by (pod) (nodejs_heap_size_used_bytes)', '{{pod}}']],
    },
    {
      title: 'Delay of the event loop, 99 of 100',
      says: 'Over 0.1 s a process is busier than it can be.',
      unit: 's',
      thresholds: { warn: 0.1, alarm: 0.5 },
      queries: [['max by (pod) (nodejs_eventloop_lag_p99_seconds)', '{{pod}}']],
    },
    {
      title: 'Open files, of those allowed',
      unit: 'percentunit',
      queries: [['max by (pod) (process_open_fds / process_max_fds)', '{{pod}}']],
    },
    {
      title: 'Log lines, by level',
      says: 'error: the platform, not a receiver, failed. fatal: a process ended.',
      unit: 'cps',
      queries: [[rate('posthorn_log_lines_total', 'level'), '{{level}}']],
    },
    {
      title: 'Processes, by revision and roles',
      says: 'Two revisions at the same time: a roll-out is under way.',
      unit: 'short',
      queries: [['count by (revision, roles) (posthorn_build_info)', '{{revision}} {{roles}}']],
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
      queries: [['max by (pod) (time() - process_start_time_seconds)', '{{pod}}']],
    },
  ],
};

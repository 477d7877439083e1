import { type Dashboard, rate } from './panel.ts';

const OURS = '{job=~".*posthorn.*"}';

export const processes: Dashboard = {
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

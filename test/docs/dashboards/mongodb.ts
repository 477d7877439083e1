import { type Dashboard, rate } from './panel.ts';

export const mongodb: Dashboard = {
  name: 'mongodb',
  title: 'MongoDB',
  panels: [
    {
      title: 'Processes that reach MongoDB',
      says: 'Of those that use it: ingress and control. None for 2 minutes pages.',
      unit: 'short',
      queries: [
        ['sum(posthorn_mongodb_up)', 'up'],
        ['count(posthorn_mongodb_up)', 'all'],
      ],
    },
    {
      title: 'Servers that answer, by kind',
      says: 'As the process sees them that sees the fewest.',
      unit: 'short',
      queries: [['min by (kind) (posthorn_mongodb_servers)', '{{kind}}']],
    },
    {
      title: 'The slowest secondary is behind by',
      says: 'A set without writes adds an entry every 10 s, so up to 10 s is none.',
      unit: 's',
      thresholds: { warn: 30, alarm: 60 },
      queries: [['max(posthorn_mongodb_replica_lag_seconds)', 'lag']],
    },
    {
      title: 'Since the last failed connection or heartbeat',
      unit: 's',
      queries: [['time() - max(posthorn_mongodb_last_failure_timestamp_seconds > 0)', 'failure']],
    },
    {
      title: 'Connections, by process and state',
      says: 'At most 20 of a process to each server.',
      unit: 'short',
      queries: [['sum by (pod, state) (posthorn_mongodb_connections)', '{{pod}} {{state}}']],
    },
    {
      title: 'Operations without a connection, by reason',
      says: 'timeout: all connections were busy. connectionError: refused, also by a wrong password.',
      unit: 'cps',
      queries: [[rate('posthorn_mongodb_connection_failures_total', 'reason'), '{{reason}}']],
    },
  ],
};

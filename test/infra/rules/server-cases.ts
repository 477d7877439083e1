import type { AlertCase } from './alert-case.ts';

const up = (server: string, pod: string) => `posthorn_${server}_up{pod="${pod}"}`;
const ready = 'kube_statefulset_status_replicas_ready{statefulset="nats",pod="ksm"}';
const replicas = 'kube_statefulset_replicas{statefulset="nats",pod="ksm"}';
const lastSeq = (server: string) =>
  `nats_stream_last_seq{stream_name="EV-0",server_name="${server}"}`;
const stored = 'nats_server_total_message_bytes{server_name="nats-0"}';
const most = 'nats_server_max_storage{server_name="nats-0"}';
const lag = 'posthorn_mongodb_replica_lag_seconds{pod="control-0"}';
const secondaries = 'posthorn_mongodb_servers{pod="control-0",kind="secondary"}';

/** Of the rules about NATS and MongoDB. */
export const serverCases: readonly AlertCase[] = [
  {
    alert: 'PosthornNatsDown',
    severity: 'page',
    at: '10m',
    fires: { [up('nats', 'a')]: '1 0x20', [up('nats', 'b')]: '1 0x20' },
    quiet: { [up('nats', 'a')]: '1 0x20', [up('nats', 'b')]: '1x20' },
  },
  {
    alert: 'PosthornNatsDisconnected',
    labels: { pod: 'a' },
    severity: 'ticket',
    at: '10m',
    fires: { [up('nats', 'a')]: '0x20', [up('nats', 'b')]: '1x20' },
    // It reconnects to another broker.
    quiet: { [up('nats', 'a')]: '1 0 0 1x20', [up('nats', 'b')]: '1x20' },
  },
  {
    alert: 'PosthornBrokerDown',
    of: 'namespace',
    labels: { statefulset: 'nats' },
    severity: 'ticket',
    at: '20m',
    fires: { [ready]: '2x30', [replicas]: '3x30' },
    // A roll-out.
    quiet: { [ready]: '3x5 2x4 3x30', [replicas]: '3x30' },
  },
  {
    alert: 'PosthornBrokersLost',
    of: 'namespace',
    labels: { statefulset: 'nats' },
    severity: 'page',
    at: '10m',
    fires: { [ready]: '1x20', [replicas]: '3x20' },
    quiet: { [ready]: '2x20', [replicas]: '3x20' },
  },
  {
    alert: 'PosthornReplicaBehind',
    labels: { stream_name: 'EV-0' },
    severity: 'ticket',
    at: '20m',
    fires: { [lastSeq('nats-0')]: '0+1000x30', [lastSeq('nats-1')]: '0x30' },
    // Scraped a minute earlier.
    quiet: { [lastSeq('nats-0')]: '1000+1000x30', [lastSeq('nats-1')]: '0+1000x30' },
  },
  {
    alert: 'PosthornBrokerStorage',
    labels: { server_name: 'nats-0' },
    severity: 'ticket',
    at: '30m',
    fires: { [stored]: '75x40', [most]: '100x40' },
    quiet: { [stored]: '60x40', [most]: '100x40' },
  },
  {
    alert: 'PosthornBrokerStorageFull',
    labels: { server_name: 'nats-0' },
    severity: 'page',
    at: '30m',
    fires: { [stored]: '90x40', [most]: '100x40' },
    // -1 and 0: no bound.
    quiet: { [stored]: '90x40', [most]: '-1x40' },
  },
  {
    alert: 'PosthornMongodbDown',
    severity: 'page',
    at: '10m',
    fires: { [up('mongodb', 'a')]: '1 0x20', [up('mongodb', 'b')]: '1 0x20' },
    // An election.
    quiet: { [up('mongodb', 'a')]: '1 1 1 1 1 0 0 1x20', [up('mongodb', 'b')]: '1 1 0 0 1x20' },
  },
  {
    alert: 'PosthornMongodbUnreachable',
    labels: { pod: 'a' },
    severity: 'ticket',
    at: '20m',
    fires: { [up('mongodb', 'a')]: '0x30', [up('mongodb', 'b')]: '1x30' },
    quiet: { [up('mongodb', 'a')]: '1 1 0 0 1x30', [up('mongodb', 'b')]: '1x30' },
  },
  {
    alert: 'PosthornMongodbLag',
    severity: 'ticket',
    at: '20m',
    fires: { [lag]: '90x30' },
    quiet: { [lag]: '11x30' },
  },
  {
    alert: 'PosthornMongodbMemberDown',
    severity: 'ticket',
    at: '90m',
    fires: { [secondaries]: '2x30 1x70' },
    quiet: { [secondaries]: '2x30 1x5 2x70' },
  },
];

import type { AlertCase } from './alert-case.ts';
import { platformCases } from './platform-cases.ts';
import { serverCases } from './server-cases.ts';
import { storageCases } from './storage-cases.ts';

const events = (result: string) => `posthorn_ingress_events_total{result="${result}"}`;
const lag = (le: string) => `posthorn_delivery_first_attempt_lag_seconds_bucket{le="${le}"}`;
const lagCount = 'posthorn_delivery_first_attempt_lag_seconds_count';
const attempts = (labels: string) => `posthorn_delivery_attempts_total{${labels}}`;
const localFaults = 'posthorn_delivery_local_faults_total{fault="descriptors"}';
const rounds = (result: string) => `posthorn_probe_rounds_total{shard="0",result="${result}"}`;
const lastSuccess = (shard: number) =>
  `posthorn_probe_last_success_timestamp_seconds{shard="${shard}"}`;
const build = 'posthorn_build_info{revision="a",roles="control",pod="a"}';
const requests = (status: string, route = '/v1/tenants/:tenant') =>
  `posthorn_http_request_duration_seconds_count{method="GET",route="${route}",status_class="${status}"}`;
const oldest = (stream: string, consumer: string) =>
  `posthorn_consumer_oldest_seconds{stream="${stream}",consumer="${consumer}"}`;
const behindOldest = (stream: string) =>
  `posthorn_router_behind_oldest_seconds{stream="${stream}"}`;
const fine = attempts('outcome="success",status_class="2xx",error_type="none"');
const failed = (error: string, status = 'none') =>
  attempts(`outcome="failure",status_class="${status}",error_type="${error}"`);

const ownLoop = 'nodejs_eventloop_lag_p99_seconds{pod="delivery-0"}';
const ownBuild = 'posthorn_build_info{pod="delivery-0"}';
const otherLoop = 'nodejs_eventloop_lag_p99_seconds{pod="shop-0"}';

/** Of the rules about Posthorn itself, and of all others. */
export const alertCases: readonly AlertCase[] = [
  {
    alert: 'PosthornAvailabilityBudgetFast',
    severity: 'page',
    at: '90m',
    fires: { [events('accepted')]: '0+1000x500', [events('not_stored')]: '0+5x500' },
    quiet: { [events('accepted')]: '0+10000x500', [events('not_stored')]: '0+5x500' },
  },
  {
    alert: 'PosthornAvailabilityBudgetSlow',
    severity: 'ticket',
    at: '7h',
    fires: { [events('accepted')]: '0+1000x500', [events('not_stored')]: '0+1x500' },
    // Faults of the producer do not count.
    quiet: {
      [events('accepted')]: '0+1000x500',
      [events('refused')]: '0+900x500',
      [events('not_stored')]: '0+0x500',
    },
  },
  {
    alert: 'PosthornPromptnessBudgetFast',
    severity: 'page',
    at: '90m',
    fires: { [lag('0.1')]: '0+20x500', [lagCount]: '0+100x500' },
    quiet: { [lag('0.1')]: '0+80x500', [lagCount]: '0+100x500' },
  },
  {
    alert: 'PosthornPromptnessBudgetSlow',
    severity: 'ticket',
    at: '7h',
    fires: { [lag('0.1')]: '0+60x500', [lagCount]: '0+100x500' },
    quiet: { [lag('0.1')]: '0+97x500', [lagCount]: '0+100x500' },
  },
  {
    alert: 'PosthornSoundnessBudgetFast',
    severity: 'page',
    at: '90m',
    fires: { [fine]: '0+1000x500', [failed('unexpected')]: '0+5x500', [localFaults]: '0x500' },
    // Failing receivers do not count.
    quiet: {
      [fine]: '0+100x500',
      [failed('http_status', '5xx')]: '0+900x500',
      [failed('unexpected')]: '0x500',
      [localFaults]: '0x500',
    },
  },
  {
    alert: 'PosthornSoundnessBudgetFast',
    severity: 'page',
    at: '90m',
    // No request can be sent at all.
    fires: { [fine]: '0x500', [failed('unexpected')]: '0x500', [localFaults]: '0+5x500' },
    // One failure on a quiet night.
    quiet: {
      [fine]: '0+1x500',
      [failed('unexpected')]: '0x70 1x400',
      [localFaults]: '0x500',
    },
  },
  {
    alert: 'PosthornAvailabilityBudgetFast',
    severity: 'page',
    at: '90m',
    // All events of a small installation are refused.
    fires: { [events('accepted')]: '0x500', [events('not_stored')]: '0+3x500' },
    quiet: { [events('accepted')]: '0+2x500', [events('not_stored')]: '0x80 1x400' },
  },
  {
    alert: 'PosthornPromptnessBudgetFast',
    severity: 'page',
    at: '90m',
    fires: { [lag('0.1')]: '0x500', [lagCount]: '0+3x500' },
    quiet: { [lag('0.1')]: '0x500', [lagCount]: '0+1x500' },
  },
  {
    alert: 'PosthornArrivalBudgetFast',
    severity: 'page',
    at: '90m',
    fires: { [rounds('succeeded')]: '0+60x500', [rounds('lost')]: '0+2x500' },
    // One event in three hours.
    quiet: { [rounds('succeeded')]: '0+60x500', [rounds('lost')]: '0x80 1x400' },
  },
  {
    alert: 'PosthornArrivalBudgetSlow',
    severity: 'ticket',
    at: '7h',
    fires: { [rounds('succeeded')]: '0+99x500', [rounds('refused')]: '0+1x500' },
    quiet: { [rounds('succeeded')]: '0+1000x500', [rounds('refused')]: '0+1x500' },
  },
  {
    alert: 'PosthornProbeFailing',
    labels: { shard: '1' },
    severity: 'page',
    at: '10m',
    // Seconds since 1970 on promtool's clock: shard 1 was silent from the start.
    fires: { [lastSuccess(0)]: '0+60x20', [lastSuccess(1)]: '0x20' },
    // A takeover, and a restarted probe.
    quiet: { [lastSuccess(0)]: '0+60x20', [lastSuccess(1)]: '0 60 120 180 180 180 360+60x20' },
  },
  {
    alert: 'PosthornProbeMissing',
    severity: 'ticket',
    at: '20m',
    fires: { [lastSuccess(0)]: '0 0 0 stale' },
    quiet: { [lastSuccess(0)]: '0x30' },
  },
  {
    alert: 'PosthornProbeMissing',
    of: 'everything',
    severity: 'ticket',
    at: '20m',
    fires: {},
    quiet: { [lastSuccess(0)]: '0x30' },
  },
  {
    alert: 'PosthornRouterBehind',
    labels: { stream: 'EV-1' },
    severity: 'page',
    at: '10m',
    fires: { [oldest('EV-1', 'router')]: '60x20' },
    quiet: { [oldest('EV-1', 'router')]: '5x20', [oldest('EV-1', 'projector')]: '600x20' },
  },
  {
    alert: 'PosthornTenantBehind',
    labels: { stream: 'EV-1' },
    severity: 'ticket',
    at: '10m',
    fires: { [behindOldest('EV-1')]: '4000x20' },
    quiet: { [behindOldest('EV-1')]: '600x20' },
  },
  {
    alert: 'PosthornDeliveryBehind',
    labels: { stream: 'DLV-0', consumer: 'deliver-shared' },
    severity: 'page',
    at: '10m',
    fires: { [oldest('DLV-0', 'deliver-shared')]: '200x20' },
    // A tenant's own lane may be long, because it delays no other tenant.
    quiet: { [oldest('DLV-0', 'deliver-shared')]: '20x20', [oldest('DLV-0', 'lanes')]: '9000x20' },
  },
  {
    alert: 'PosthornRetriesBehind',
    labels: { stream: 'DLV-0' },
    severity: 'ticket',
    at: '20m',
    fires: { [oldest('DLV-0', 'deliver-again')]: '900x30' },
    quiet: { [oldest('DLV-0', 'deliver-again')]: '100x30' },
  },
  {
    alert: 'PosthornShardUnowned',
    labels: { role: 'delivery' },
    severity: 'page',
    at: '5m',
    fires: { 'posthorn_shards_unowned{role="delivery"}': '1x10' },
    // A takeover.
    quiet: { 'posthorn_shards_unowned{role="delivery"}': '0 0 0 0 0 1 0 0 0' },
  },
  {
    alert: 'PosthornQueuesUnknown',
    severity: 'page',
    at: '10m',
    fires: { [build]: '1x20' },
    quiet: { [build]: '1x20', 'posthorn_stream_messages{stream="EV-0"}': '0x20' },
  },
  {
    alert: 'PosthornQueuesUnknown',
    severity: 'page',
    at: '10m',
    // Nothing of the installation is left.
    fires: { [build]: '1 1 stale' },
    quiet: { [build]: '1 1 stale', 'posthorn_stream_messages{stream="EV-0"}': '0x20' },
  },
  {
    alert: 'PosthornQueuesUnknown',
    of: 'everything',
    severity: 'page',
    at: '10m',
    fires: {},
    quiet: { 'posthorn_stream_messages{stream="EV-0"}': '0x20' },
  },
  {
    alert: 'PosthornStreamGrows',
    labels: { stream: 'DLV-2' },
    severity: 'ticket',
    at: '20m',
    fires: { 'posthorn_stream_bytes{stream="DLV-2"}': '20000000000x30' },
    // Events are kept for days by design.
    quiet: {
      'posthorn_stream_bytes{stream="DLV-2"}': '1000000x30',
      'posthorn_stream_bytes{stream="EV-2"}': '90000000000x30',
    },
  },
  {
    alert: 'PosthornHistoryBlocked',
    severity: 'ticket',
    at: '10m',
    fires: { posthorn_projector_blocked_seconds: '0+60x20' },
    quiet: { posthorn_projector_blocked_seconds: '20x20' },
  },
  {
    alert: 'PosthornHistoryNearLoss',
    severity: 'page',
    at: '10m',
    fires: { [oldest('ATT-0', 'projector')]: '172000+600x20' },
    // Events are kept for their own retention.
    quiet: {
      [oldest('ATT-0', 'projector')]: '3600x20',
      [oldest('EV-0', 'projector')]: '200000x20',
    },
  },
  {
    alert: 'PosthornIdempotencyShortened',
    severity: 'ticket',
    at: '20m',
    fires: { posthorn_ingress_idempotency_skipped_total: '0+10x30' },
    quiet: { posthorn_ingress_idempotency_skipped_total: '500x30' },
  },
  {
    alert: 'PosthornDeadLettersGrow',
    severity: 'ticket',
    at: '90m',
    fires: {
      'posthorn_projector_dead_letters_total{reason="exhausted"}': '0+50x100',
      posthorn_router_deliveries_total: '0+1000x100',
    },
    quiet: {
      'posthorn_projector_dead_letters_total{reason="exhausted"}': '0+5x100',
      posthorn_router_deliveries_total: '0+1000x100',
    },
  },
  {
    alert: 'PosthornReceiversFailing',
    severity: 'ticket',
    at: '40m',
    fires: { [fine]: '0+60x60', [failed('http_status', '5xx')]: '0+40x60' },
    quiet: { [fine]: '0+90x60', [failed('http_status', '5xx')]: '0+10x60' },
  },
  {
    alert: 'PosthornReceiversFailing',
    severity: 'ticket',
    at: '40m',
    fires: { [fine]: '0+6x60', [failed('http_status', '5xx')]: '0+4x60' },
    // A test of one endpoint.
    quiet: { [fine]: '0x60', [failed('http_status', '5xx')]: '0+5x60' },
  },
  {
    alert: 'PosthornNobodyReachable',
    severity: 'page',
    at: '20m',
    fires: { [fine]: '0+10x60', [failed('dns')]: '0+50x60', [failed('timeout')]: '0+40x60' },
    quiet: { [fine]: '0+70x60', [failed('timeout')]: '0+30x60' },
  },
  {
    alert: 'PosthornNobodyReachable',
    severity: 'page',
    at: '20m',
    fires: { [fine]: '0+1x60', [failed('dns')]: '0+14x60' },
    quiet: { [fine]: '0x60', [failed('dns')]: '0+8x60' },
  },
  {
    alert: 'PosthornCircuitsOpen',
    severity: 'ticket',
    at: '30m',
    fires: { posthorn_delivery_circuits_open: '80x60' },
    quiet: { posthorn_delivery_circuits_open: '8x60' },
  },
  {
    alert: 'PosthornEventsRefused',
    severity: 'ticket',
    at: '40m',
    fires: { [events('accepted')]: '0+50x60', [events('refused')]: '0+50x60' },
    quiet: { [events('accepted')]: '0+95x60', [events('refused')]: '0+5x60' },
  },
  {
    alert: 'PosthornEventsRefused',
    severity: 'ticket',
    at: '40m',
    fires: { [events('accepted')]: '0+5x60', [events('refused')]: '0+5x60' },
    // A developer tries it.
    quiet: { [events('accepted')]: '0x60', [events('refused')]: '0+5x60' },
  },
  {
    alert: 'PosthornWorkersMissing',
    labels: { role: 'router' },
    severity: 'page',
    at: '10m',
    fires: {
      'posthorn_workers{role="router"}': '0x20',
      'posthorn_workers{role="delivery"}': '2x20',
    },
    quiet: {
      'posthorn_workers{role="router"}': '1x20',
      'posthorn_workers{role="delivery"}': '2x20',
    },
  },
  {
    alert: 'PosthornPodsRestart',
    of: 'namespace',
    severity: 'ticket',
    at: '40m',
    fires: { 'kube_pod_container_status_restarts_total{container="posthorn",pod="a"}': '0+1x60' },
    quiet: { 'kube_pod_container_status_restarts_total{container="posthorn",pod="a"}': '3x60' },
  },
  {
    alert: 'PosthornEventLoopSlow',
    labels: { pod: 'delivery-0' },
    severity: 'ticket',
    at: '20m',
    fires: { [ownLoop]: '0.9x60', [ownBuild]: '1x60' },
    // Another program of the cluster is slow.
    quiet: { [ownLoop]: '0.05x60', [ownBuild]: '1x60', [otherLoop]: '0.9x60' },
  },
  {
    alert: 'PosthornApiFailing',
    severity: 'page',
    at: '30m',
    fires: { [requests('2xx')]: '0+90x60', [requests('5xx')]: '0+10x60' },
    // Publishing has its own objective, and wrong requests are the client's fault.
    quiet: {
      [requests('2xx')]: '0+90x60',
      [requests('4xx')]: '0+500x60',
      [requests('5xx', '/v1/tenants/:tenant/events')]: '0+90x60',
    },
  },
  {
    alert: 'PosthornApiFailing',
    severity: 'page',
    at: '30m',
    fires: { [requests('2xx')]: '0x60', [requests('5xx')]: '0+3x60' },
    quiet: { [requests('2xx')]: '0x60', [requests('5xx')]: '0+1x60' },
  },
  ...serverCases,
  ...storageCases,
  ...platformCases,
];

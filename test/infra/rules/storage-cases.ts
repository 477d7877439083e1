/** Cases of the alerts on the bounds of streams (`alert-cases.ts`). */
import type { AlertCase } from './alert-case.ts';

const bytes = (stream: string) => `posthorn_stream_bytes{stream="${stream}"}`;
const bound = (stream: string) => `posthorn_stream_bytes_max{stream="${stream}"}`;
const refusing = (pod: string) => `posthorn_ingress_storage_refusing{pod="${pod}"}`;
const purged = 'posthorn_stream_purged_early_messages_total{stream="EV-0"}';

export const storageCases: readonly AlertCase[] = [
  {
    alert: 'PosthornStorageRefusing',
    severity: 'page',
    at: '5m',
    fires: { [refusing('a')]: '0x10', [refusing('b')]: '0 1x10' },
    quiet: { [refusing('a')]: '0x10', [refusing('b')]: '0x10' },
  },
  {
    alert: 'PosthornStreamFills',
    labels: { stream: 'EV-0' },
    severity: 'ticket',
    at: '40m',
    fires: { [bytes('EV-0')]: '82x50', [bound('EV-0')]: '100x50' },
    // DLV-k has no bound.
    quiet: { [bytes('EV-0')]: '70x50', [bound('EV-0')]: '100x50', [bytes('DLV-0')]: '900x50' },
  },
  {
    alert: 'PosthornStreamFull',
    labels: { stream: 'ATT-0' },
    severity: 'page',
    at: '10m',
    fires: { [bytes('ATT-0')]: '95x20', [bound('ATT-0')]: '100x20' },
    quiet: { [bytes('ATT-0')]: '86x20', [bound('ATT-0')]: '100x20' },
  },
  {
    alert: 'PosthornReplayWindowShortened',
    labels: { stream: 'EV-0' },
    severity: 'ticket',
    at: '90m',
    fires: { [purged]: '0x60 1000x40' },
    quiet: { [purged]: '1000x100' },
  },
  {
    alert: 'PosthornDeliveriesFillStorage',
    severity: 'page',
    at: '20m',
    // Two shards: 120 of 200 bytes are the bounds of events.
    fires: {
      [bytes('DLV-0')]: '5x30',
      [bytes('DLV-1')]: '16x30',
      [bound('EV-0')]: '60x30',
      [bound('EV-1')]: '60x30',
    },
    quiet: {
      [bytes('DLV-0')]: '5x30',
      [bytes('DLV-1')]: '14x30',
      [bound('EV-0')]: '60x30',
      [bound('EV-1')]: '60x30',
    },
  },
];

import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import {
  type AttemptFailureKind,
  type AttemptOutcome,
  attemptFailureKinds,
} from '#domain/outcome/delivery.ts';
import { localFaults } from '#infra/http/dial/local-fault.ts';

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 15, 30];

/** Bounds of retry delays: seconds to the days of the longest schedule. */
const RETRY_SECONDS = [1, 5, 15, 30, 60, 300, 900, 1800, 3600, 10_800, 21_600, 43_200, 86_400];

/** The numbers of a worker that gauges show. */
export interface DeliveryState {
  activations: () => number;
  mailbox: () => number;
  inFlight: () => number;
  open: () => number;
  queues: () => number;
  blocked: () => number;
}

/** Prometheus metrics of delivery (OB-2). Labels are closed sets: no tenant, endpoint or URL. */
export class DeliveryMetrics {
  readonly attempts: Counter<'outcome' | 'status_class' | 'error_type'>;
  readonly parked: Counter<'reason'>;
  readonly tokenRequests: Counter<'outcome'>;
  readonly nameLookups: Counter<'outcome'>;
  readonly localFaults: Counter<'fault'>;
  private readonly duration: Histogram;
  private readonly firstAttemptLag: Histogram;
  private readonly retryDelay: Histogram;

  private readonly registry: Registry;

  constructor(registry: Registry) {
    this.registry = registry;
    const registers = [registry];
    this.attempts = new Counter({
      name: 'posthorn_delivery_attempts_total',
      help: 'Attempts by outcome.',
      labelNames: ['outcome', 'status_class', 'error_type'],
      registers,
    });
    // Create each series at 0: `rate` does not see the first increment of a series that starts with
    // it.
    for (const kind of attemptFailureKinds) {
      for (const status_class of statusClassesOf(kind)) {
        this.attempts.inc({ outcome: 'failure', status_class, error_type: kind }, 0);
      }
    }
    this.parked = new Counter({
      name: 'posthorn_delivery_parked_total',
      help: 'Deliveries parked without an attempt, by reason.',
      labelNames: ['reason'],
      registers,
    });
    this.tokenRequests = new Counter({
      name: 'posthorn_delivery_token_requests_total',
      help: 'Requests for OAuth 2 access tokens, by outcome.',
      labelNames: ['outcome'],
      registers,
    });
    this.nameLookups = new Counter({
      name: 'posthorn_delivery_name_lookups_total',
      help: 'DNS lookups of receivers, by outcome.',
      labelNames: ['outcome'],
      registers,
    });
    this.localFaults = new Counter({
      name: 'posthorn_delivery_local_faults_total',
      help: 'Deliveries delayed by a fault of this machine, by fault.',
      labelNames: ['fault'],
      registers,
    });
    for (const fault of localFaults) this.localFaults.inc({ fault }, 0);
    this.duration = new Histogram({
      name: 'posthorn_delivery_attempt_duration_seconds',
      help: 'Duration of attempts.',
      buckets: SECONDS,
      registers,
    });
    this.firstAttemptLag = new Histogram({
      name: 'posthorn_delivery_first_attempt_lag_seconds',
      help: 'From the acceptance of an event to the start of its first attempt.',
      buckets: SECONDS,
      registers,
    });
    this.retryDelay = new Histogram({
      name: 'posthorn_delivery_retry_delay_seconds',
      help: 'Delays of retries: by the schedule with its jitter, or as the receiver asked.',
      buckets: RETRY_SECONDS,
      registers,
    });
  }

  /** Exports the state of the worker, read at each scrape. Called once. */
  watch(state: DeliveryState): void {
    const registers = [this.registry];
    const gauge = (name: string, help: string, value: () => number): void => {
      const created: Gauge = new Gauge({
        name,
        help,
        registers,
        collect: (): void => created.set(value()),
      });
    };
    gauge('posthorn_delivery_activations', 'Active tenant actors.', state.activations);
    gauge('posthorn_delivery_mailbox_messages', 'Deliveries waiting in mailboxes.', state.mailbox);
    gauge('posthorn_delivery_in_flight', 'Attempts in flight.', state.inFlight);
    gauge('posthorn_delivery_circuits_open', 'Endpoints whose circuit is open.', state.open);
    gauge(
      'posthorn_delivery_ordered_queues',
      'Queues of ordered endpoints that are not empty.',
      state.queues,
    );
    gauge(
      'posthorn_delivery_ordered_blocked',
      'Ordered endpoints blocked by a delivery that has used up its attempts.',
      state.blocked,
    );
  }

  attempted(outcome: AttemptOutcome, durationMs: number, lagMs: number, attemptNo: number): void {
    this.attempts.inc({
      outcome: outcome.ok ? 'success' : 'failure',
      status_class: outcome.status === undefined ? 'none' : `${Math.floor(outcome.status / 100)}xx`,
      error_type: outcome.ok ? 'none' : outcome.kind,
    });
    this.duration.observe(durationMs / 1000);
    if (attemptNo === 1) this.firstAttemptLag.observe(lagMs / 1000);
  }

  retryScheduled(delayMs: number): void {
    this.retryDelay.observe(delayMs / 1000);
  }
}

/**
 * The status classes usual for a kind of failure. The first failure of another class creates its
 * series.
 */
function statusClassesOf(kind: AttemptFailureKind): string[] {
  if (kind === 'http_status') return ['4xx', '5xx'];
  return [kind === 'redirect' ? '3xx' : 'none'];
}

/**
 * Reports unexpected errors to a service that accepts Sentry's envelopes (OB-7,
 * https://develop.sentry.dev/sdk/data-model/envelopes/). Each log line at level error or above with
 * an `err` is reported: its class and code, the name of the log line, the source location, and ids.
 * The message is never sent: a parser's message quotes its input, which may be a payload. The
 * message is in the log, found by the ids.
 *
 * Limits: `REPORTS_MAX` reports in 60 s, one for each source location; `IN_FLIGHT_MAX` in flight,
 * each for 5 s at most. Further reports are dropped, and counted in the next one. An unavailable
 * service costs nothing else.
 */
import { randomUUID } from 'node:crypto';
import { type ErrorFrame, errorFrames } from './error-frames.ts';

const REPORTS_MAX = 20;
const WINDOW_MS = 60_000;
const IN_FLIGHT_MAX = 4;
const TIMEOUT_MS = 5000;
const TAG_LENGTH_MAX = 200;
const PAUSE_MAX_SECONDS = 3600;

/** Fields of a log line that are ids or names; no other field leaves the process. */
const TAGS = [
  'request_id',
  'tenant_id',
  'endpoint_id',
  'delivery_id',
  'traceparent',
  'route',
  'method',
  'service',
  'shard',
] as const;

/** A log line, and the error in it. */
export interface LoggedError {
  err: Error;
  /** Name of the log line. */
  name: string;
  facts: Record<string, unknown>;
}

export interface ErrorReportsDeps {
  /** `https://<key>@<host>/<path>/<project>` */
  dsn: string;
  environment: string;
  roles: string;
  /** Milliseconds since 1970. */
  now: () => number;
  /** Called once for all failures of a window. */
  onFailed: (reason: string) => void;
}

export class ErrorReports {
  private readonly deps: ErrorReportsDeps;
  private readonly url: string;
  private readonly auth: string;
  private readonly underWay = new Set<Promise<void>>();
  private readonly seen = new Set<string>();
  private windowEndsMs = 0;
  private pausedUntilMs = 0;
  private failed = false;
  private dropped = 0;

  constructor(deps: ErrorReportsDeps) {
    this.deps = deps;
    const dsn = new URL(deps.dsn);
    const at = dsn.pathname.lastIndexOf('/');
    const [base, project] = [dsn.pathname.slice(0, at), dsn.pathname.slice(at + 1)];
    this.url = `${dsn.protocol}//${dsn.host}${base}/api/${project}/envelope/`;
    this.auth = `Sentry sentry_version=7, sentry_client=posthorn/1, sentry_key=${dsn.username}`;
  }

  /** Never throws, never waits. */
  report(logged: LoggedError): void {
    const nowMs = this.deps.now();
    if (nowMs >= this.windowEndsMs) {
      this.windowEndsMs = nowMs + WINDOW_MS;
      this.seen.clear();
      this.failed = false;
    }
    const frames = errorFrames(logged.err);
    const place = placeOf(logged, frames);
    const isTooMuch =
      this.seen.has(place) ||
      this.seen.size >= REPORTS_MAX ||
      this.underWay.size >= IN_FLIGHT_MAX ||
      nowMs < this.pausedUntilMs;
    if (isTooMuch) {
      this.dropped++;
      return;
    }
    this.seen.add(place);
    const body = this.envelope(logged, frames, nowMs);
    this.dropped = 0;
    const sending = this.send(body).catch((error: unknown) => this.onFailed(error as Error));
    this.underWay.add(sending);
    void sending.then(() => this.underWay.delete(sending));
  }

  /** Resolves when all reports in flight have been sent, or dropped. */
  async flush(): Promise<void> {
    await Promise.all(this.underWay);
  }

  private async send(body: string): Promise<void> {
    const response = await fetch(this.url, {
      method: 'POST',
      headers: { 'content-type': 'application/x-sentry-envelope', 'x-sentry-auth': this.auth },
      body,
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    await response.body?.cancel();
    if (response.status === 429) this.pause(response.headers.get('retry-after'));
    if (!response.ok) throw new Error(`the service answered ${response.status}`);
  }

  private pause(retryAfter: string | null): void {
    const isSeconds = retryAfter !== null && /^[1-9]\d*$/.test(retryAfter);
    const wanted = isSeconds ? Number(retryAfter) : WINDOW_MS / 1000;
    this.pausedUntilMs = this.deps.now() + Math.min(wanted, PAUSE_MAX_SECONDS) * 1000;
  }

  private onFailed(error: Error): void {
    if (this.failed) return;
    this.failed = true;
    this.deps.onFailed(error.message);
  }

  private envelope(logged: LoggedError, frames: ErrorFrame[], nowMs: number): string {
    const id = randomUUID().replaceAll('-', '');
    const head = { event_id: id, sent_at: new Date(nowMs).toISOString() };
    const event = {
      event_id: id,
      timestamp: nowMs / 1000,
      platform: 'node',
      level: 'error',
      logger: logged.name,
      environment: this.deps.environment,
      tags: { ...tagsOf(logged.facts), roles: this.deps.roles },
      extra: { dropped_before: this.dropped },
      exception: {
        values: [
          {
            type: classOf(logged.err),
            value: `${logged.name}${codeOf(logged.err)}`,
            stacktrace: { frames },
          },
        ],
      },
    };
    return [head, { type: 'event' }, event].map((line) => `${JSON.stringify(line)}\n`).join('');
  }
}

/** The identity of an error: class, log line, and source location. */
function placeOf({ err, name }: LoggedError, frames: ErrorFrame[]): string {
  const last = frames.findLast(({ in_app }) => in_app) ?? frames.at(-1);
  return `${err.name} ${name} ${last?.filename}:${last?.lineno}`;
}

/** The name of a custom error may be anything. */
function classOf({ name }: Error): string {
  return /^\w{1,60}$/.test(name) ? name : 'Error';
}

/** Codes are words that programs choose (`ECONNRESET`, `POSTHORN_UNEXPECTED`, 11000). */
function codeOf(error: Error): string {
  const { code } = error as { code?: unknown };
  return (typeof code === 'string' || typeof code === 'number') && /^\w{1,60}$/.test(String(code))
    ? ` ${code}`
    : '';
}

function tagsOf(facts: Record<string, unknown>): Record<string, string> {
  const tags: Record<string, string> = {};
  for (const name of TAGS) {
    const value = facts[name];
    if (typeof value === 'string' || typeof value === 'number') {
      tags[name] = String(value).slice(0, TAG_LENGTH_MAX);
    }
  }
  return tags;
}

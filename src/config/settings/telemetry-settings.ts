import { Type } from 'typebox';
import { integer, optionalText, text } from '../setting.ts';

/** Traces, error reports and logs. */
export const telemetrySettings = {
  POSTHORN_OTLP_ENDPOINT: optionalText({
    pattern: '^https?://',
    description:
      'Base URL of an OpenTelemetry collector (OTLP over HTTP; `/v1/traces` is added). Absent: `OTEL_EXPORTER_OTLP_ENDPOINT`; without either there is no tracing.',
  }),
  POSTHORN_OTLP_HEADERS: optionalText({
    secret: true,
    // Printable ASCII. Separators and % only as %2C, %3B, %25.
    pattern: '^([\\w.-]+=((?![,;%])[!-~]|%[2-7][0-9A-Fa-f])+(,(?!$)|$))+$',
    description:
      'Header fields of requests to the collector, for example its access token: `name=value,name=value`, with a space as `%20`. They override `OTEL_EXPORTER_OTLP_HEADERS`.',
  }),
  POSTHORN_TRACE_SAMPLE_PERCENT: integer({
    default: 1,
    minimum: 0,
    maximum: 100,
    description:
      'Percentage of requests without a trace that begin a new one. A producer that sends `traceparent` decides for itself.',
  }),
  POSTHORN_SENTRY_DSN: optionalText({
    secret: true,
    pattern: '^https?://[^:@/?#]+@[^@/?#]+/([^?#]+/)?[0-9]+$',
    description:
      "Where unexpected errors are reported: the DSN of a project in Sentry, or in a service that accepts Sentry's envelopes. Absent: nowhere.",
  }),
  POSTHORN_SENTRY_ENVIRONMENT: text({
    default: 'production',
    pattern: '^[a-zA-Z0-9._-]{1,64}$',
    description: 'Environment named in these reports.',
  }),
  POSTHORN_REVISION: text({
    default: 'unknown',
    pattern: '^[a-zA-Z0-9._-]{1,64}$',
    description:
      'Commit that this process was built from, for `posthorn_build_info`. A container image sets it.',
  }),
  POSTHORN_LOG_LEVEL: Type.Union(
    [
      Type.Literal('fatal'),
      Type.Literal('error'),
      Type.Literal('warn'),
      Type.Literal('info'),
      Type.Literal('debug'),
      Type.Literal('silent'),
    ],
    { default: 'info', description: 'Least severe level that is logged.' },
  ),
};

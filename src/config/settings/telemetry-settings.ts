import { Type } from 'typebox';
import { integer, optionalText, text } from '../setting.ts';

/** Traces, error reports and logs. */
export const telemetrySettings = {
  POSTHORN_OTLP_ENDPOINT: optionalText({
    pattern: '^https?://',
    description:
      'Base URL of an OpenTelemetry collector (OTLP over HTTP; `/v1/traces` is added). Absent: `OTEL_EXPORTER_OTLP_ENDPOINT`; without both there is no tracing.',
  }),
  POSTHORN_OTLP_HEADERS: optionalText({
    secret: true,
    // Printable ASCII; what separates, and %, only as %2C, %3B, %25.
    pattern: '^([\\w.-]+=((?![,;%])[!-~]|%[2-7][0-9A-Fa-f])+(,(?!$)|$))+$',
    description:
      'Header fields of what is sent to the collector, such as its access token: `name=value,name=value`, a space as `%20`. They win over `OTEL_EXPORTER_OTLP_HEADERS`.',
  }),
  POSTHORN_TRACE_SAMPLE_PERCENT: integer({
    default: 1,
    minimum: 0,
    maximum: 100,
    description:
      'How many of the requests that come without a trace begin one. A producer that sends `traceparent` decides for itself.',
  }),
  POSTHORN_SENTRY_DSN: optionalText({
    secret: true,
    pattern: '^https?://[^:@/?#]+@[^@/?#]+/([^?#]+/)?[0-9]+$',
    description:
      "Where unexpected errors are reported: the DSN of a project in Sentry, or in a service that takes Sentry's envelopes. Absent: nowhere.",
  }),
  POSTHORN_SENTRY_ENVIRONMENT: text({
    default: 'production',
    pattern: '^[a-zA-Z0-9._-]{1,64}$',
    description: 'Environment that these reports name.',
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
    { default: 'info', description: 'The least severe log line that is written.' },
  ),
};

import { integer, optionalText, text } from '../setting.ts';

/** TLS of the ports, time limits of requests to the API, and of stopping a process. */
export const httpSettings = {
  POSTHORN_HTTP_CERTIFICATE_PATH: optionalText({
    minLength: 1,
    description:
      'Path of the certificate (PEM, followed by its chain) with which a process of `posthorn run` serves TLS: on the port of the API and on the private port. A renewed file is read within 5 s; open connections continue. Absent: plain HTTP.',
  }),
  POSTHORN_HTTP_KEY_PATH: optionalText({
    minLength: 1,
    description: 'Path of the key (PEM) of that certificate.',
  }),
  POSTHORN_HTTP_TRUSTED_PROXIES: text({
    default: '',
    description:
      'Networks (CIDR) of proxies in front of the API, separated by commas. The address of a caller is then the last one in `x-forwarded-for` that is in none of them. Empty: the header is ignored.',
  }),
  POSTHORN_HTTP_READ_TIMEOUT_MS: integer({
    default: 15_000,
    minimum: 100,
    maximum: 300_000,
    description: 'Longest time in which a request must arrive in full.',
  }),
  POSTHORN_HTTP_IDLE_TIMEOUT_MS: integer({
    default: 72_000,
    minimum: 1000,
    maximum: 600_000,
    description:
      'How long an idle connection is kept open. Must be longer than the idle timeout of the load balancer in front.',
  }),
  POSTHORN_HTTP_WRITE_TIMEOUT_MS: integer({
    default: 30_000,
    minimum: 1000,
    maximum: 600_000,
    description:
      'How long a connection may stay without progress while a request is being answered.',
  }),
  POSTHORN_SHUTDOWN_DEADLINE_MS: integer({
    default: 10_000,
    minimum: 100,
    maximum: 300_000,
    description: 'Longest time in which a stopping process finishes in-flight work.',
  }),
};

import { integer } from '../setting.ts';

/** How long requests to the API, and the end of a process, may take. */
export const httpSettings = {
  POSTHORN_HTTP_READ_TIMEOUT_MS: integer({
    default: 15_000,
    minimum: 100,
    maximum: 300_000,
    description: 'How long a request may take to arrive.',
  }),
  POSTHORN_HTTP_IDLE_TIMEOUT_MS: integer({
    default: 72_000,
    minimum: 1000,
    maximum: 600_000,
    description:
      'How long an idle connection is kept; longer than that of the load balancer in front.',
  }),
  POSTHORN_HTTP_WRITE_TIMEOUT_MS: integer({
    default: 30_000,
    minimum: 1000,
    maximum: 600_000,
    description: 'How long a connection may make no progress while a request is answered.',
  }),
  POSTHORN_SHUTDOWN_DEADLINE_MS: integer({
    default: 10_000,
    minimum: 100,
    maximum: 300_000,
    description: 'How long a stopping process may take to finish what is in flight.',
  }),
};

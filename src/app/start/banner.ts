import { isLoopbackHost } from '#infra/http/loopback.ts';

export interface BannerFacts {
  apiUrl: string;
  /** Address that the API listens on. */
  host: string;
  key: string;
  /** URL of the embedded NATS. */
  natsUrl: string | undefined;
  receiverUrl: string;
  dataDir: string;
  seconds: number;
}

/** Describes which machines can connect to the address. */
function reach(host: string): string {
  return isLoopbackHost(host)
    ? 'this machine only; POSTHORN_HTTP_HOST=0.0.0.0 opens it to the network'
    : 'open to the network; POSTHORN_HTTP_HOST=127.0.0.1 is this machine only';
}

/**
 * Builds the text that `posthorn start` prints once everything runs, with all that the first
 * webhook needs.
 */
export function banner(facts: BannerFacts): string {
  const nats =
    facts.natsUrl === undefined
      ? ''
      : `\n  NATS            ${facts.natsUrl} (for producers; the token is an API key)`;
  return `
Posthorn is ready (${facts.seconds.toFixed(1)} s).

  API             ${facts.apiUrl}
  Listens on      ${facts.host} (${reach(facts.host)})
  Reference       ${facts.apiUrl}/docs
  Platform key    ${facts.key}${nats}
  Demo tenant     demo, with one endpoint on the built-in receiver
  Demo receiver   ${facts.receiverUrl}
  Data            ${facts.dataDir}

Make a webhook arrive:

  curl ${facts.apiUrl}/v1/tenants/demo/events -H 'authorization: Bearer ${facts.key}' -H 'content-type: application/json' -d '{"type":"demo.greeting","data":{"hello":"world"}}'

Ctrl-C stops everything; the data stays.
`;
}

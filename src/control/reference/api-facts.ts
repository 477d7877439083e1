/** The facts of the OpenAPI document about the API as a whole. */
export const apiFacts = {
  head: {
    info: {
      title: 'Posthorn',
      version: '1',
      description:
        'Webhook delivery: producers publish events, tenants receive them as signed webhooks. ' +
        'Each answer has one media type, which the operation names. `accept` does not select another, and is never ' +
        'answered with 406 (RFC 9110, section 12.5.1).',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      contact: { name: 'The operator of this installation' },
    },
  },
  /** In the order of use: set up, publish, observe, repair. */
  tags: [
    { name: 'Tenants', description: 'Receivers of events: one tenant for each customer.' },
    { name: 'API keys', description: 'Keys for the platform, producers and tenants.' },
    { name: 'Event types', description: 'The registry of event types, with their JSON Schemas.' },
    {
      name: 'Endpoints',
      description: 'URLs that webhooks are sent to, with their policies and secrets.',
    },
    {
      name: 'Subscriptions',
      description: 'Select the events that an endpoint gets, by type and filter.',
    },
    { name: 'Events', description: 'Publish events to a tenant; read published events.' },
    { name: 'Broadcasts', description: 'Publish events to every tenant; follow their progress.' },
    { name: 'Deliveries', description: 'Deliveries and their attempts; retry and cancel them.' },
    { name: 'Attempts', description: 'Requests to endpoints, and their responses.' },
    {
      name: 'Dead letters',
      description: 'Deliveries that have failed permanently; replay or discard them.',
    },
    {
      name: 'Issues',
      description: 'Failures grouped by endpoint and cause; acknowledge and resolve them.',
    },
    { name: 'Metrics', description: 'Figures over time: counts, rates, latencies, queues.' },
    {
      name: 'Plans',
      description:
        'Count a bulk action before it is started: a replay, cancellation, release or discard.',
    },
    { name: 'Replays', description: 'Run the list of a plan; follow, pause and cancel it.' },
    { name: 'Portal', description: 'Access of users of a tenant, and the session of a caller.' },
    { name: 'Webhooks', description: 'The requests that endpoints receive, in each format.' },
    { name: 'Operations', description: 'For operators of the platform.' },
  ],
  securitySchemes: {
    key: {
      type: 'http',
      scheme: 'bearer',
      description:
        'An API key, `phk_…`. A `platform` key may use every route, a `producer` key publishes events, a `tenant` key reads and manages its tenant.',
    },
  },
} as const;

/**
 * Lists the servers for the document. An installation on a local address gets its host and port as
 * variables, because other readers reach it under another address.
 *
 * @param publicUrl `POSTHORN_PUBLIC_URL`
 */
export function serversOf(publicUrl = 'http://127.0.0.1:8080'): object[] {
  if (!URL.canParse(publicUrl)) return [{ url: publicUrl }];
  const { protocol, hostname, port, pathname } = new URL(publicUrl);
  const path = pathname.replace(/\/+$/, '');
  if (hostname !== 'localhost' && hostname !== '127.0.0.1') {
    return [{ url: new URL(publicUrl).origin + path, description: 'This installation.' }];
  }
  return [
    {
      url: `${protocol}//{host}:{port}${path}`,
      description: 'An installation at the given host and port.',
      variables: {
        host: { default: hostname, description: 'Host of the API.' },
        port: { default: port || '80', description: 'Port of the API (`POSTHORN_HTTP_PORT`).' },
      },
    },
  ];
}

/** What the document says of the API as a whole. */
export const apiFacts = {
  head: {
    info: {
      title: 'Posthorn',
      version: '1',
      description:
        'Webhook delivery: producers publish events, tenants receive them as signed webhooks.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      contact: { name: 'The operator of this installation' },
    },
  },
  /** In the order in which they are needed: set up, publish, look, mend. */
  tags: [
    { name: 'Tenants', description: 'Whom events are sent to: one tenant for each customer.' },
    { name: 'API keys', description: 'Keys of platform, producers and tenants.' },
    { name: 'Event types', description: 'The registry of event types, with their JSON Schemas.' },
    { name: 'Endpoints', description: 'URLs that webhooks are sent to, and their secrets.' },
    { name: 'Subscriptions', description: 'Which events an endpoint gets: types and filters.' },
    { name: 'Events', description: 'Publish events to a tenant; read what was published.' },
    { name: 'Broadcasts', description: 'Publish events to every tenant; follow their progress.' },
    { name: 'Deliveries', description: 'Deliveries and their attempts; retry and cancel them.' },
    { name: 'Dead letters', description: 'Deliveries that were given up; replay or discard them.' },
    { name: 'Webhooks', description: 'What endpoints receive, in the format of each.' },
    { name: 'Operations', description: 'For those who run the platform.' },
  ],
  securitySchemes: {
    key: {
      type: 'http',
      scheme: 'bearer',
      description:
        'An API key, `phk_…`. A `platform` key does everything, a `producer` key publishes, a `tenant` key reads and manages its tenant.',
    },
  },
} as const;

/**
 * An installation that is reached on the machine itself has its host and port as variables: readers
 * elsewhere have others.
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
      description: 'An installation, by its host and port.',
      variables: {
        host: { default: hostname, description: 'Where the API is reached.' },
        port: { default: port || '80', description: 'POSTHORN_HTTP_PORT' },
      },
    },
  ];
}

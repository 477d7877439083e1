import { type WebhookSchema, formatWebhooks, operationalWebhooks } from '#wire/openapi/webhooks.ts';
import type { Components, Json } from './components.ts';
import { describeBody, describeParameters } from './operation.ts';

/** Builds `webhooks`: the requests that endpoints receive, and the effects of their responses. */
export function describeWebhooks(components: Components): Json {
  const webhooks = Object.entries({ ...formatWebhooks, ...operationalWebhooks });
  return Object.fromEntries(
    webhooks.map(([name, webhook]) => [name, { post: describeWebhook(webhook, components) }]),
  );
}

function describeWebhook(webhook: WebhookSchema, components: Components): Json {
  const { operationId, summary, description, headers } = webhook;
  return {
    operationId,
    summary,
    description,
    tags: ['Webhooks'],
    security: [],
    parameters: describeParameters('header', headers, components),
    requestBody: describeBody(webhook, components),
    responses: {
      '2XX': { description: 'The event is delivered. The body is ignored.' },
      410: { description: 'The endpoint is disabled. Later events are held.' },
      '4XX': {
        description: 'The attempt is retried, unless the endpoint lists the status as final.',
      },
      '5XX': { description: 'The attempt is retried; `retry-after` is respected.' },
    },
  };
}

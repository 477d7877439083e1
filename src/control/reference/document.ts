import { problem } from '#wire/api/problem.ts';
import { apiFacts, serversOf } from './api-facts.ts';
import { Components, type Json } from './components.ts';
import { errorComponents } from './error-answers.ts';
import { headerComponents } from './headers.ts';
import { describeOperation } from './operation.ts';
import type { RouteSchema } from './route-schema.ts';
import { describeWebhooks } from './webhooks.ts';

/**
 * Builds the OpenAPI 3.1 document of the routes.
 *
 * @param publicUrl URL of the API for callers; absent: unknown
 */
export function buildDocument(routes: readonly RouteSchema[], publicUrl?: string): object {
  const components = new Components();
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const path = (paths[pathOf(route.url)] ??= {});
    path[route.method.toLowerCase()] = describeOperation(route, components);
  }
  const webhooks = describeWebhooks(components);
  const responses = errorComponents(components.refer(problem));
  return {
    openapi: '3.1.0',
    ...apiFacts.head,
    servers: serversOf(publicUrl),
    security: [{ key: [] }],
    tags: apiFacts.tags,
    paths,
    webhooks,
    components: {
      securitySchemes: apiFacts.securitySchemes,
      schemas: components.schemas(),
      responses,
      headers: headerComponents,
    },
  };
}

/** Converts `/v1/tenants/:tenant` to `/v1/tenants/{tenant}`. */
function pathOf(url: string): string {
  return url.replaceAll(/:(\w+)/g, '{$1}');
}

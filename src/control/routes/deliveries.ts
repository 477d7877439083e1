import {
  attemptPage,
  delivery,
  deliveryListQuery,
  deliveryPage,
  deliveryParams,
} from '#wire/api/delivery.ts';
import { problemAnswers } from '#wire/api/problem.ts';
import { tenantParams } from '#wire/api/tenant.ts';
import type { Api } from '../access.ts';
import type { DeliveryReads } from '../history/delivery-reads.ts';

const tags = ['Deliveries'];

export function registerDeliveryRoutes(api: Api, deliveries: DeliveryReads): void {
  api.get(
    '/v1/tenants/:tenant/deliveries',
    {
      config: { access: 'read' },
      schema: {
        operationId: 'listDeliveries',
        summary: "List a tenant's deliveries, newest first",
        tags,
        params: tenantParams,
        querystring: deliveryListQuery,
        response: { 200: deliveryPage, ...problemAnswers },
      },
    },
    (request) => deliveries.list(request.params.tenant, request.query),
  );
  api.get(
    '/v1/tenants/:tenant/deliveries/:delivery',
    {
      config: { access: 'read' },
      schema: {
        operationId: 'getDelivery',
        summary: 'Read a delivery with its attempts',
        tags,
        params: deliveryParams,
        response: { 200: delivery, ...problemAnswers },
      },
    },
    (request) => deliveries.get(request.params.tenant, request.params.delivery),
  );
  api.get(
    '/v1/tenants/:tenant/deliveries/:delivery/attempts',
    {
      config: { access: 'read' },
      schema: {
        operationId: 'listAttempts',
        summary: 'List the attempts of a delivery',
        tags,
        params: deliveryParams,
        response: { 200: attemptPage, ...problemAnswers },
      },
    },
    (request) => deliveries.listAttempts(request.params.tenant, request.params.delivery),
  );
}

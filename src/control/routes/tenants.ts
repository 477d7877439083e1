import { Type } from 'typebox';
import { preconditionHeaders } from '#wire/api/fields.ts';
import { problemAnswers } from '#wire/api/problem.ts';
import {
  tenant,
  tenantChange,
  tenantListQuery,
  tenantPage,
  tenantParams,
  tenantSettings,
} from '#wire/api/tenant.ts';
import { etagOf } from '#wire/revision.ts';
import { answer } from '#wire/openapi/describe.ts';
import type { Api } from './access.ts';
import type { Tenants } from '../resources/tenants.ts';

const tags = ['Tenants'];

/** Routes for tenants (CT-1). */
export function registerTenantRoutes(api: Api, tenants: Tenants): void {
  api.put(
    '/v1/tenants/:tenant',
    {
      config: { access: 'tenants' },
      schema: {
        operationId: 'putTenant',
        summary: 'Create a tenant or replace its settings',
        description:
          'Settings that are left out get their defaults. A new tenant has no endpoints.',
        tags,
        params: tenantParams,
        headers: preconditionHeaders,
        body: tenantSettings,
        response: {
          200: answer(tenant, { description: 'The settings are replaced.', headers: ['etag'] }),
          201: answer(tenant, { description: 'The tenant is created.', headers: ['etag'] }),
          ...problemAnswers,
        },
      },
    },
    async (request, reply) => {
      const put = await tenants.put(request.params.tenant, request.body, request.headers);
      reply.code(put.created ? 201 : 200).header('etag', etagOf(put.tenant.revision));
      return put.tenant;
    },
  );
  api.get(
    '/v1/tenants',
    {
      config: { access: 'tenants' },
      schema: {
        operationId: 'listTenants',
        summary: 'List tenants',
        description: 'Shows every tenant, ordered by id.',
        tags,
        querystring: tenantListQuery,
        response: { 200: tenantPage, ...problemAnswers },
      },
    },
    (request) => tenants.list(request.query),
  );
  registerItemRoutes(api, tenants);
}

function registerItemRoutes(api: Api, tenants: Tenants): void {
  api.get(
    '/v1/tenants/:tenant',
    {
      config: { access: 'read', visibility: 'none' },
      schema: {
        operationId: 'getTenant',
        summary: 'Read a tenant',
        description: 'Shows the settings of the tenant.',
        tags,
        params: tenantParams,
        response: {
          200: answer(tenant, { description: 'The tenant.', headers: ['etag'] }),
          ...problemAnswers,
        },
      },
    },
    async (request, reply) => {
      const found = await tenants.get(request.params.tenant);
      reply.header('etag', etagOf(found.revision));
      return found;
    },
  );
  api.patch(
    '/v1/tenants/:tenant',
    {
      config: { access: 'tenants' },
      schema: {
        operationId: 'updateTenant',
        summary: 'Change settings of a tenant',
        description: 'Settings that are left out keep their value; null removes a setting.',
        tags,
        params: tenantParams,
        headers: preconditionHeaders,
        body: tenantChange,
        response: {
          200: answer(tenant, { description: 'The tenant after the change.', headers: ['etag'] }),
          ...problemAnswers,
        },
      },
    },
    async (request, reply) => {
      const changed = await tenants.change(request.params.tenant, request.body, request.headers);
      reply.header('etag', etagOf(changed.revision));
      return changed;
    },
  );
  api.delete(
    '/v1/tenants/:tenant',
    {
      config: { access: 'tenants' },
      schema: {
        operationId: 'deleteTenant',
        summary: 'Delete a tenant with its data',
        description:
          'Its endpoints, subscriptions and keys are deleted immediately, its history soon after.',
        tags,
        params: tenantParams,
        headers: preconditionHeaders,
        response: { 204: Type.Null({ description: 'The tenant is deleted.' }), ...problemAnswers },
      },
    },
    async (request, reply) => {
      await tenants.remove(request.params.tenant, request.headers);
      return reply.code(204).send(null);
    },
  );
}

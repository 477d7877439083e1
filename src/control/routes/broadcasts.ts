import {
  broadcast,
  broadcastListQuery,
  broadcastPage,
  broadcastParams,
} from '#wire/api/broadcast.ts';
import { problemAnswers } from '#wire/api/problem.ts';
import type { Api } from './access.ts';
import type { Broadcasts } from '../deliveries/broadcasts.ts';

const tags = ['Broadcasts'];
const config = { access: 'platform' } as const;

/** Routes for broadcast events and their progress (RT-5). */
export function registerBroadcastRoutes(api: Api, broadcasts: Broadcasts): void {
  api.get(
    '/v1/broadcasts',
    {
      config,
      schema: {
        operationId: 'listBroadcasts',
        summary: 'List broadcast events with their progress, oldest first',
        description: 'Shows broadcast events for as long as events are retained.',
        tags,
        querystring: broadcastListQuery,
        response: { 200: broadcastPage, ...problemAnswers },
      },
    },
    (request) => broadcasts.list(request.query),
  );
  api.get(
    '/v1/broadcasts/:broadcast',
    {
      config,
      schema: {
        operationId: 'getBroadcast',
        summary: 'Read the progress of a broadcast event',
        description: 'Counts the tenants and endpoints whose copy is stored.',
        tags,
        params: broadcastParams,
        response: { 200: broadcast, ...problemAnswers },
      },
    },
    (request) => broadcasts.get(request.params.broadcast),
  );
  api.post(
    '/v1/broadcasts/:broadcast/cancel',
    {
      config,
      schema: {
        operationId: 'cancelBroadcast',
        summary: 'Cancel a broadcast event: tenants without a copy get none',
        description:
          'Copies that exist already are delivered. Cancelling a cancelled broadcast again changes nothing.',
        tags,
        params: broadcastParams,
        response: { 200: broadcast, ...problemAnswers },
      },
    },
    (request) => broadcasts.cancel(request.params.broadcast),
  );
}

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

/** Broadcast events and how far they have come (RT-5). */
export function registerBroadcastRoutes(api: Api, broadcasts: Broadcasts): void {
  api.get(
    '/v1/broadcasts',
    {
      config,
      schema: {
        operationId: 'listBroadcasts',
        summary: 'List broadcast events and how far each has come, oldest first',
        description: 'Shows broadcast events for as long as events are kept.',
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
        summary: 'Read how far a broadcast event has come',
        description: 'Counts tenants and endpoints that have their copy.',
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
        summary: 'End a broadcast event where it is: tenants that have no copy yet get none',
        description:
          'Copies that exist already are delivered. Cancelling a cancelled broadcast changes nothing.',
        tags,
        params: broadcastParams,
        response: { 200: broadcast, ...problemAnswers },
      },
    },
    (request) => broadcasts.cancel(request.params.broadcast),
  );
}

import type { FastifyInstance } from 'fastify';
import { applyReadPreconditions } from '#infra/http/protocol/not-modified.ts';
import type { FindCaller, TokenKind } from '#infra/http/callers/find-caller.ts';
import type { History } from '#infra/mongo/documents.ts';
import type { RateLimits } from '#infra/rate-limits/rate-limits.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { ConfigView } from '#wire/config-snapshot.ts';
import type { Broadcasts } from '../deliveries/broadcasts.ts';
import type { DeliveryActions } from '../deliveries/delivery-actions.ts';
import type { EventTypes } from '../event-types/registry.ts';
import type { DeliveryReads } from '../history/delivery-reads.ts';
import type { EventExplanations } from '../history/event-explanations.ts';
import type { EventReads } from '../history/event-reads.ts';
import type { PayloadReads } from '../history/payload-reads.ts';
import type { RejectedEvents } from '../history/rejected-events.ts';
import { registerEndpointRequestRoutes } from '../endpoint-requests/routes.ts';
import type { TestSends } from '../endpoint-requests/test-sends.ts';
import type { Verifications } from '../endpoint-requests/verifications.ts';
import { registerEndpointSecretRoutes } from '../endpoint-secrets/routes.ts';
import type { SecretActions } from '../endpoint-secrets/secret-actions.ts';
import type { Pauses } from '../endpoint-status/pauses.ts';
import { registerEndpointStatusRoutes } from '../endpoint-status/routes.ts';
import type { Issues } from '../issues/issues.ts';
import { registerIssueRoutes } from '../issues/routes.ts';
import type { MetricReads } from '../metrics/metric-reads.ts';
import { registerMetricRoutes } from '../metrics/routes.ts';
import { answerOnce } from '../idempotency/answer-once.ts';
import type { IdempotentAnswers } from '../idempotency/idempotent-answers.ts';
import type { CurrentLives } from '../lives/current-lives.ts';
import { type ReplayParts, registerReplayRoutes } from '../replays/routes.ts';
import type { ApiKeys } from '../keys/api-keys.ts';
import type { Endpoints } from '../resources/endpoints.ts';
import type { Subscriptions } from '../resources/subscriptions.ts';
import type { Tenants } from '../resources/tenants.ts';
import { registerSearchRoutes, type SearchParts } from '../search/routes.ts';
import type { DryPublishes } from '../dry-publish/dry-publishes.ts';
import { registerDryPublishRoute } from '../dry-publish/routes.ts';
import type { LiveTail } from '../tail/live-tail.ts';
import { registerTailRoutes } from '../tail/routes.ts';
import { findAuthorized, requireAccess } from './access.ts';
import { registerPortalTokenRoutes } from '../sessions/portal-token-routes.ts';
import type { PortalTokens } from '../sessions/portal-tokens.ts';
import { createRequestCaller, sessionTokens } from '../sessions/request-callers.ts';
import { registerExchangeRoute, registerSessionRoutes } from '../sessions/session-routes.ts';
import { limitVisibleTypes } from '../sessions/visible-types.ts';
import type { SessionStore } from '../sessions/session-store.ts';
import { limitApiRequests } from './limit-api-requests.ts';
import { registerApiKeyRoutes } from '../keys/routes.ts';
import { registerBroadcastRoutes } from './broadcasts.ts';
import { type DeadLetterParts, registerDeadLetterRoutes } from './dead-letters.ts';
import { registerDeliveryRoutes } from './deliveries.ts';
import { registerEndpointRoutes } from './endpoints.ts';
import {
  type EventTypeDocumentParts,
  registerEventTypeDocumentRoutes,
} from '../event-type-documents/routes.ts';
import { registerEventTypeRoutes } from './event-types.ts';
import { registerEventExplanationRoute, registerEventRoutes } from './events.ts';
import { registerEventPayloadRoute, registerPayloadLinkRoute } from './payloads.ts';
import { registerRejectedEventRoutes } from './rejected-events.ts';
import type { Polls } from '../poll/polls.ts';
import { registerPollRoutes } from '../poll/routes.ts';
import type { Reconciliations } from '../sequences/reconciliations.ts';
import { registerSequenceRoutes } from '../sequences/routes.ts';
import { registerSubscriptionRoutes } from './subscriptions.ts';
import { registerTenantRoutes } from './tenants.ts';

/** The parts that the routes of endpoints use. */
export interface EndpointParts {
  endpoints: Endpoints;
  testSends: TestSends;
  verifications: Verifications;
  pauses: Pauses;
  secretActions: SecretActions;
}

/** The parts that the routes of the API use. */
export interface ApiParts
  extends DeadLetterParts, EventTypeDocumentParts, EndpointParts, ReplayParts {
  lives: CurrentLives;
  liveTail: LiveTail;
  dryPublishes: DryPublishes;
  tenants: Tenants;
  reconciliations: Reconciliations;
  polls: Polls;
  subscriptions: Subscriptions;
  eventTypes: EventTypes;
  apiKeys: ApiKeys;
  metrics: MetricReads;
  search: SearchParts;
  history: History;
  sessions: SessionStore;
  portalTokens: PortalTokens;
  issues: Issues;
  events: EventReads;
  deliveries: DeliveryReads;
  deliveryActions: DeliveryActions;
  rejected: RejectedEvents;
  broadcasts: Broadcasts;
  payloads: PayloadReads;
  explanations: EventExplanations;
  answers: IdempotentAnswers;
}

/** The checks that precede each handler. */
export interface ApiGuards {
  findCallerBy: (tokens: readonly TokenKind[]) => FindCaller;
  rates: Pick<RateLimits, 'admit'>;
  config: Pick<ConfigView, 'currentTenant'>;
}

/**
 * Registered in its own scope, because access checks apply to all routes of a scope. Payload
 * links are outside it.
 */
export function registerApiRoutes(
  app: FastifyInstance,
  parts: ApiParts,
  { findCallerBy, rates, config }: ApiGuards,
  log: Log,
): void {
  registerPayloadLinkRoute(app, parts.payloads);
  const findCaller = findCallerBy(sessionTokens(parts.sessions));
  registerExchangeRoute(app, parts.sessions, findCaller);
  const requestCaller = createRequestCaller(findCaller);
  void app.register((scope, _options, done) => {
    const api = requireAccess(scope, requestCaller, parts.lives, {
      portal_token: (id, lifeId) => parts.portalTokens.find(lifeId, id),
      import: (id) => parts.eventTypeImports.get(id),
      broadcast: (id) => parts.broadcasts.get(id),
      delivery: (id, lifeId) => parts.deliveries.get(lifeId, id),
      issue: (id, lifeId) => parts.issues.get(lifeId, id),
      dead_letter: (id, lifeId) => parts.deadLetterReads.find(lifeId, id),
      plan: (id, lifeId) => parts.plans.find(lifeId, id),
      replay: (id, lifeId) => parts.replays.get(lifeId, id),
    });
    limitVisibleTypes(scope, parts.history, parts.lives);
    limitApiRequests(scope, rates, config);
    applyReadPreconditions(scope);
    answerOnce(scope, parts.answers, parts.lives, log);
    registerTenantRoutes(api, parts.tenants);
    registerEndpointRoutes(api, parts.endpoints);
    registerEndpointRequestRoutes(api, parts);
    registerSequenceRoutes(api, parts);
    registerPollRoutes(api, parts);
    registerEndpointStatusRoutes(api, parts);
    registerEndpointSecretRoutes(api, parts);
    registerSubscriptionRoutes(api, parts.subscriptions);
    registerEventTypeRoutes(api, parts);
    registerEventTypeDocumentRoutes(api, parts);
    registerApiKeyRoutes(api, parts.apiKeys);
    registerSearchRoutes(api, parts.search);
    registerPortalTokenRoutes(api, parts);
    registerSessionRoutes(api, parts.sessions);
    registerEventRoutes(api, parts);
    registerEventExplanationRoute(api, parts);
    registerEventPayloadRoute(api, parts);
    registerDeliveryRoutes(api, parts);
    registerDeadLetterRoutes(api, parts);
    registerReplayRoutes(api, parts);
    registerRejectedEventRoutes(api, parts);
    registerBroadcastRoutes(api, parts.broadcasts);
    registerMetricRoutes(api, parts);
    registerTailRoutes(api, parts, (request) => findAuthorized(requestCaller, request));
    registerDryPublishRoute(api, parts);
    registerIssueRoutes(api, parts);
    done();
  });
}

/** Every bound of the product that is not a setting (SE-5). Names end with their unit. */
export const limits = {
  requestBodyBytesMax: 512 * 1024,
  /** RFC 9112, section 3, requires at least 8000. */
  requestTargetLengthMax: 8192,
  contentCodingsMax: 4,
  /** For each protocol of a process: each decoder may hold as much as the largest body. */
  bodiesDecodedAtOnceMax: 8,
  /** The best ratio of deflate; br and zstd, which reach 1,000 times as much, get no more. */
  decodedRatioMax: 1032,
  tenantIdLengthMax: 64,
  eventIdLengthMax: 200,
  eventTypeLengthMax: 128,
  eventSourceLengthMax: 512,
  eventSubjectLengthMax: 512,
  eventExtensionsMax: 32,
  eventExtensionNameLengthMax: 128,
  eventExtensionValueLengthMax: 1024,
  batchEventsMax: 1000,
  batchBytesMax: 4 * 1024 * 1024,
  idempotencyKeyLengthMax: 255,
  idempotentAnswersKeptSeconds: 24 * 3600,
  keyOverlapSecondsMax: 30 * 24 * 3600,
  keyLengthMax: 256,
  portalTokenSecondsMin: 3600,
  portalTokenSecondsMax: 7 * 24 * 3600,
  /** Valid ones. */
  portalTokensPerTenantMax: 10_000,
  /** In a process. */
  sessionsRemembered: 10_000,
  /** In a process; an IPv6 network counts as one. */
  wrongKeyAddressesMax: 10_000,
  /** In a process: callers that were accepted. */
  callersRemembered: 20_000,
  /** Longer than a change waits for its turn and runs. */
  idempotencyClaimSeconds: 60,
  /** Size of the documents. The snapshot is smaller and must fit one NATS message: 8 MiB. */
  tenantConfigBytesMax: 7 * 1024 * 1024,
  /** Registered types; automatic types have their own bound. */
  eventTypesMax: 10_000,
  automaticEventTypesPerTenantMax: 500,
  automaticEventTypesRemembered: 50_000,
  eventTypeVersionsMax: 100,
  eventTypeSamplesMax: 5,
  /** All samples of a type together. */
  eventTypeSampleBytesMax: 32 * 1024,
  eventTypesImportedMax: 200,
  eventTypesExportedMax: 1000,
  eventTypeExportBytesMax: 4 * 1024 * 1024,
  importPlanKeptSeconds: 24 * 3600,
  /** Of one tenant, in one process. */
  changesWaitingMax: 256,
  endpointsPerTenantMax: 10_000,
  subscriptionsPerTenantMax: 20_000,
  endpointUrlLengthMax: 2048,
  endpointHeadersMax: 20,
  endpointHeaderValueLengthMax: 1024,
  endpointSecretsMax: 5,
  credentialUserLengthMax: 255,
  credentialSecretLengthMax: 4096,
  credentialScopeLengthMax: 1024,
  certificatePemLengthMax: 32 * 1024,
  privateKeyPemLengthMax: 16 * 1024,
  certificatesMax: 10,
  accessTokenLengthMax: 8 * 1024,
  accessTokensMax: 10_000,
  namesKeptMax: 4096,
  /** For one name; a resolver may return thousands. */
  addressesDialledMax: 32,
  /** Concurrent, for one connection. */
  dialTriesMax: 8,
  /** In a worker: origins with answers that undici cannot parse. */
  lenientOriginsMax: 20_000,
  lenientOriginsPerTenantMax: 1000,
  tokenAnswerBytesMax: 64 * 1024,
  subscriptionEventTypesMax: 100,
  filterDepthMax: 8,
  filterNodesMax: 100,
  filterBytesMax: 16 * 1024,
  filterListMax: 200,
  filterRegexLengthMax: 256,
  filterRegexInputLengthMax: 16 * 1024,
  filterPathSegmentsMax: 16,
  filterComparisonsMax: 2_000_000,
  faultyFiltersKept: 1000,
  endedLivesKept: 1000,
  /** A process waits this long for CONFIG to have the unknown life of a message, then drops it. */
  unbornLifeWaitMs: 10 * 60_000,
  regexInstructionsMax: 2000,
  regexStepsMax: 5_000_000,
  regexMemoryBytesMax: 128 * 1024,
  fieldErrorsMax: 50,
  /** Of a pointer or a text in an error response. */
  problemTextLengthMax: 2048,
  schemaBytesMax: 64 * 1024,
  schemaDepthMax: 32,
  schemaBranchesMax: 500,
  /** Nodes beyond one for each subschema, created for `$dynamicRef` in different scopes. */
  schemaScopeCopiesMax: 2000,
  schemaStepsMax: 5_000_000,
  schemaStepsForAllErrorsMax: 50_000,
  /** Of one check on the event loop; a thread finishes what takes more. */
  schemaStepsAtOnceMax: 50_000,
  schemaRegexStepsAtOnceMax: 200_000,
  /** Larger data is checked by the thread. */
  schemaAtOnceBytesMax: 64 * 1024,
  /** Data that waits for the thread, in a process. */
  schemaCheckBytesMax: 64 * 1024 * 1024,
  schemaCheckWaitMsMax: 10_000,
  /** For one check; after it the thread is ended. The largest hostile data takes about 3 s. */
  schemaCheckMsMax: 5000,
  /** To compare two versions of a schema. */
  schemaCompareStepsMax: 50_000,
  schemaPatternLengthMax: 1024,
  schemaRegexInstructionsMax: 10_000,
  dataDepthMax: 64,
  /** Of a whole text; texts over 4 MiB may hold more: src/domain/json/json-bounds.ts. */
  jsonDepthMax: 256,
  jsonValuesMax: 1_000_000,
  jsonContainersMax: 250_000,
  jsonNamesMax: 50_000,
  jsonNumberLengthMax: 1024,
  requestJsonDepthMax: 72,
  requestJsonValuesMax: 50_000,
  requestJsonContainersMax: 20_000,
  requestJsonNamesMax: 10_000,
  jsonNameKeptLengthMax: 300,
  /** Larger texts are read in slices of `jsonSliceBytes`. */
  jsonAtOnceBytesMax: 256 * 1024,
  jsonSliceBytes: 128 * 1024,
  /** Building values costs more than reading them: up to 5 ms for a slice of hostile JSON. */
  jsonBuiltSliceBytes: 64 * 1024,
  /** Larger `data` is built for filters in slices. */
  filterDataAtOnceBytesMax: 64 * 1024,
  eventMembersMax: 100,
  /** Of an attribute as written: each of its characters may be an escape of 6 bytes. */
  eventAttributeBytesMax: 16 * 1024,
  pageSizeMax: 250,
  pageSizeDefault: 50,
  /** A count is exact up to this. */
  countExactMax: 10_000,
  /** Documents that a list compares with filters that no index serves, in one request. */
  searchExaminedMax: 50_000,
  searchMsMax: 2000,
  searchTextLengthMax: 256,
  /** JSON of the `data` on one page. */
  pageDataBytesMax: 4 * 1024 * 1024,
  cursorLengthMax: 1024,
  /** Values of one repeated filter of a list. */
  filterValuesMax: 20,
  /** Largest number of a delivery: 15 digits are read exactly in a query. */
  sequenceMax: 999_999_999_999_999,
  /** Largest bound of a filter on a number. */
  filterIntegerMax: 2 ** 31 - 1,
  responseBodyKeptBytesMax: 4 * 1024,
  responseBodyReadBytesMax: 256 * 1024,
  responseHeadersKeptMax: 32,
  responseHeaderValueKeptLengthMax: 512,
  responseHeadersBytesMax: 16 * 1024,
  attemptsMax: 50,
  replayPerSecondMax: 1000,
  /** Ids in the list of a plan: 100 MB of MongoDB. */
  planItemsMax: 1_000_000,
  /** Of one tenant, that have not expired. */
  plansPerTenantMax: 50,
  planKeptSeconds: 24 * 3600,
  replayPerSecondDefault: 100,
  heldSearchedMax: 10_000,
  rejectedBodyKeptBytesMax: 16 * 1024,
  natsHeadersMax: 128,
  /** All headers of a message as they are sent. Over HTTP they have 16 KiB. */
  natsHeaderBytesMax: 64 * 1024,
  natsRequestsMax: 4096,
  /** Live streams of a process, and of one tenant in it. */
  tailReadersMax: 200,
  tailReadersPerTenantMax: 20,
  /** That a reader of a live stream has not read. */
  tailBufferBytesMax: 256 * 1024,
  /** That are read for one reader that resumes. */
  tailResumeMessagesMax: 10_000,
  /** Limits of keys and tenants with requests in the last seconds, in a process. */
  rateLimitEntriesMax: 100_000,
  /** In one message to the other processes: about 150 KiB. */
  rateDemandsAnnouncedMax: 2000,
  /** So that one producer leaves room for the others. */
  natsRequestsPerTenantMax: 1024,
  pauseSecondsMax: 366 * 24 * 3600,
  pauseReasonLengthMax: 500,
  /** Test webhooks, pings and handshakes in flight, of one worker. */
  endpointRequestsMax: 64,
  endpointRequestsPerTenantMax: 4,
  /** Shorter than the write timeout of the API, whose answer waits for it. */
  endpointRequestMsMax: 15_000,
  mailboxMessagesMax: 512,
  eventBytesMax: 32 * 1024 * 1024,
  filterPayloadBytesMax: 4 * 1024 * 1024,
  /** Of larger `data` only the members that filters read are built. */
  filterDataWholeBytesMax: 16 * 1024,
  deduplicationFieldsMax: 16,
  deduplicationFieldLengthMax: 256,
  deduplicationPathSegmentsMax: 16,
  /** Of one event, all fields together. */
  deduplicationCanonicalBytesMax: 64 * 1024,
  /** Newest numbers of a sequenced endpoint that NATS keeps; the history lists older ones. */
  sequencesKept: 100_000,
  /** Sequenced endpoints whose last number a router remembers. */
  sequencesRemembered: 2000,
  /** For each of those: newest deliveries whose numbers the router remembers. */
  sequencedDeliveriesRemembered: 100,
  /** Deliveries of one poll, commit or extension. */
  pollDeliveriesMax: 100,
  /** Bytes of the events of one poll; a single larger event is returned alone. */
  pollBytesMax: 512 * 1024,
  pollWaitSecondsMax: 30,
  leaseSecondsMax: 12 * 3600,
  /** Polls that wait in a worker. */
  pollsWaitingMax: 2000,
  pollsWaitingPerEndpointMax: 100,
  /** Commits that a worker remembers, so that a repeated one succeeds. */
  commitsRemembered: 20_000,
  /** Each is a consumer. It adds 6 us to a message's 15 us with 40 on a stream, 170 with 1,000. */
  lanesPerShardMax: 40,
  /** Unacked messages of a tenant's lane: bounds its backlog; serves 1 s endpoints at 500/s. */
  laneUnackedMax: 512,
  /** Unacked events of a shard: the window of its router's consumer, which its tenants share. */
  routerWindowMax: 2048,
  /** Batches in flight of all tenants of a shard that are behind: 2,048 events, 16 MiB. */
  behindBatchesMax: 64,
  /** Combinations of endpoint and event type with figures of their own, of a tenant in a minute. */
  metricGroupsPerMinuteMax: 200,
  /** The same in an hour or a day; also the tenants in the figures of all. */
  metricGroupsMax: 500,
  /** Time buckets of one query: a day of minutes. */
  metricBucketsMax: 1500,
  /** Points of one answer: time buckets times the groups in each. */
  metricPointsMax: 10_000,
  /** Stored rows that one query reads. */
  metricRowsMax: 100_000,
} as const;

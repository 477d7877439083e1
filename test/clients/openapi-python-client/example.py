"""A program of a user of openapi-python-client: it type-checks, and runs against a server."""

import json
import os
from http import HTTPStatus
from io import BytesIO

from cloudevents.core.bindings.http import to_structured_event
from cloudevents.core.v1.event import CloudEvent as SdkEvent

from posthorn_client import AuthenticatedClient
from posthorn_client.api.endpoints import (
    create_endpoint,
    list_endpoints,
    rotate_endpoint_secret,
)
from posthorn_client.api.event_types import list_event_types
from posthorn_client.api.events import get_event, publish_event, publish_events
from posthorn_client.api.tenants import delete_tenant, put_tenant
from posthorn_client.models import (
    AcceptedEvent,
    BatchResult,
    CloudEvent,
    CloudEventsVersion,
    CreatedWebhookEndpoint,
    EndpointPage,
    EventBatch,
    EventTypePage,
    NewEndpoint,
    PlainEvent,
    Problem,
    RotatedSecret,
    Tenant,
    TenantSettings,
    WebhookEndpoint,
)
from posthorn_client.types import File

TENANT = "openapi-python-client"
client = AuthenticatedClient(
    base_url=os.environ["API"],
    token=os.environ["KEY"],
    # An answer that the document does not declare is an error.
    raise_on_unexpected_status=True,
)

tenant = put_tenant.sync_detailed(
    TENANT, client=client, body=TenantSettings(name="Acme Ltd")
)
assert tenant.status_code == HTTPStatus.CREATED, tenant
assert isinstance(tenant.parsed, Tenant)
assert tenant.headers["etag"] == '"1"'
stale = put_tenant.sync(TENANT, client=client, body=TenantSettings(), if_match='"7"')
assert isinstance(stale, Problem)
assert stale.code == "POSTHORN_PRECONDITION_FAILED"

endpoint = create_endpoint.sync(
    TENANT,
    client=client,
    body=NewEndpoint(url="https://receiver.invalid/webhooks", event_types=["order.*"]),
)
assert isinstance(endpoint, CreatedWebhookEndpoint), endpoint
# A body that may be left out.
rotated = rotate_endpoint_secret.sync(TENANT, endpoint.id, client=client)
assert isinstance(rotated, RotatedSecret), rotated
page = list_endpoints.sync(TENANT, client=client)
assert isinstance(page, EndpointPage)
first = page.data[0]
assert isinstance(first, WebhookEndpoint)
assert first.url == "https://receiver.invalid/webhooks"

plain = publish_event.sync(
    TENANT,
    client=client,
    body=PlainEvent(type_="order.created", data={"amount": 120}),
    idempotency_key="order-42",
)
assert isinstance(plain, AcceptedEvent), plain
sdk_event = SdkEvent(
    attributes={
        "id": "order-43",
        "type": "order.paid",
        "source": "/shop",
        "region": "eu",
    },
    data={"amount": 7},
)
message = to_structured_event(sdk_event)
event = CloudEvent.from_dict(json.loads(message.body))
structured = publish_event.sync(TENANT, client=client, body=event)
assert isinstance(structured, AcceptedEvent), structured
batch = publish_event.sync(TENANT, client=client, body=[event])
assert isinstance(batch, BatchResult), batch
assert batch.results[0].replayed is True
binary = publish_event.sync(
    TENANT,
    client=client,
    body=File(payload=BytesIO(b"bytes")),
    ce_specversion=CloudEventsVersion.VALUE_0,
    ce_id="binary-1",
    ce_source="/shop",
    ce_type="order.photographed",
)
assert isinstance(binary, AcceptedEvent), binary
several = publish_events.sync_detailed(
    TENANT,
    client=client,
    body=EventBatch(
        events=[PlainEvent(type_="order.created"), PlainEvent(type_="order.created", id="a.dot")]
    ),
)
assert several.status_code == HTTPStatus.MULTI_STATUS
assert isinstance(several.parsed, BatchResult)

types = list_event_types.sync(client=client)
assert isinstance(types, EventTypePage)
missing = get_event.sync(TENANT, "evt_missing", client=client)
assert isinstance(missing, Problem)
removed = delete_tenant.sync_detailed(TENANT, client=client)
assert removed.status_code == HTTPStatus.NO_CONTENT
print("openapi-python-client: done")

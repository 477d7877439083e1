"""What requests may be refused although the document allows them, and the reverse: each with its reason.

Loaded by schemathesis (`SCHEMATHESIS_HOOKS`). The two checks here stand for the built-in ones that they call.
"""

from itertools import count

import schemathesis
from schemathesis import Case, CheckContext, HookContext, Response
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

# Refusals of requests that are valid by their schema, by the code of the problem and the field that it names.
# An empty field stands for any. JSON Schema cannot say these rules.
REFUSED = {
    # A cursor is opaque: it is one that an answer of the same list gave.
    ("POSTHORN_CURSOR_INVALID", "#query/cursor"): "a cursor comes from the page before",
    # A filter is a document of MongoDB's query language over the attributes of events.
    ("POSTHORN_FILTER_INVALID", ""): "the filter language is described in words",
    # A JSON Schema within a JSON Schema: what is unsafe or unknown in it is refused with its place.
    ("POSTHORN_SCHEMA_INVALID", ""): "a schema is judged by the compiler of schemas",
    # The revision that a generated if-match names is hardly ever that of the resource.
    ("POSTHORN_PRECONDITION_FAILED", ""): "if-match names the revision that was read",
    ("POSTHORN_REQUEST_INVALID", "#query/source"): "the source and the id of an event go together",
    ("POSTHORN_REQUEST_INVALID", "#query/id"): "the source and the id of an event go together",
    ("POSTHORN_REQUEST_INVALID", "#query/tenant_id"): "some filters need one tenant",
    ("POSTHORN_REQUEST_INVALID", "#query/endpoint_id"): "platform-wide, it needs the filter tenant_id",
    ("POSTHORN_REQUEST_INVALID", "#query/event_type"): "platform-wide, it needs the filter tenant_id",
    ("POSTHORN_REQUEST_INVALID", "#query/start"): "a range begins before its end, and has a bounded number of buckets",
    ("POSTHORN_REQUEST_INVALID", "#query/end"): "a range begins before its end",
    ("POSTHORN_REQUEST_INVALID", "#query/dimensions"): "some dimensions need one tenant",
    ("POSTHORN_REQUEST_INVALID", "#header/last-event-id"): "the id of a message of the same stream",
    ("POSTHORN_REQUEST_INVALID", "/document"): "a document of the stated format",
    ("POSTHORN_REQUEST_INVALID", "/all"): "true without a filter, absent with one",
    ("POSTHORN_REQUEST_INVALID", "#query/measures"): "measures of the kind, each named once",
    ("POSTHORN_REQUEST_INVALID", "#query/granularity"): "a range has a bounded number of buckets",
    ("POSTHORN_REQUEST_INVALID", "/kind"): "a kind that the action of a plan has",
    ("POSTHORN_REQUEST_INVALID", "/action"): "an action that the kind of a plan has",
    ("POSTHORN_REQUEST_INVALID", "/capabilities"): "capabilities of the scope, which the caller has too",
    ("POSTHORN_REQUEST_INVALID", "/filter"): "numbers that a 64-bit float keeps; filters that the kind of a plan has",
    ("POSTHORN_REQUEST_INVALID", "/schema"): "numbers that a 64-bit float keeps",
    ("POSTHORN_REQUEST_INVALID", "/tenant"): "a platform key has none, a tenant key needs one",
    ("POSTHORN_REQUEST_INVALID", "/secret"): "base64 of 24 to 64 bytes, or two halves of one ed25519 key",
    ("POSTHORN_REQUEST_INVALID", "/deduplication/fields"): "attributes, or JSON pointers into data",
    # Stateful tests send what they sent before with another body.
    ("POSTHORN_IDEMPOTENCY_KEY_REUSED", ""): "a key belongs to one body",
    ("POSTHORN_REQUEST_INVALID", "/expires_at"): "an instant in the future",
    ("POSTHORN_REQUEST_INVALID", "/endpoint_id"): "an endpoint that the tenant has",
    ("POSTHORN_REQUEST_INVALID", "/credentials"): "characters of a user name, token or scope; a URL that may be dialled",
    ("POSTHORN_REQUEST_INVALID", "/client_certificate"): "PEM that belongs together",
    ("POSTHORN_REQUEST_INVALID", "/retry"): "delays that do not get shorter, 30 days in all",
    ("POSTHORN_REQUEST_INVALID", "/headers"): "names and values of HTTP header fields",
    ("POSTHORN_REQUEST_INVALID", "/rate_limit"): "a burst that fits the rate",
    ("POSTHORN_ENDPOINT_URL_FORBIDDEN", "/url"): "a URL that may be dialled",
    ("POSTHORN_EVENT_TYPE_UNKNOWN", ""): "a type that the registry has",
    # A generated PUT gave the type of the example a schema.
    ("POSTHORN_EVENT_DATA_INVALID", ""): "data that the schema of its event type allows",
}


KEY_NUMBERS = count()


@schemathesis.hook
def before_load_schema(context: HookContext, raw_schema: dict[str, object]) -> None:
    """Removes the header content-encoding: generated bodies are not encoded."""
    for operations in raw_schema["paths"].values():
        for operation in operations.values():
            parameters = operation.get("parameters", [])
            operation["parameters"] = [each for each in parameters if each["name"] != "content-encoding"]


@schemathesis.hook
def before_call(context: HookContext, case: Case, kwargs: dict[str, object]) -> None:
    """Gives each valid request an idempotency key of its own: examples and boundaries repeat theirs."""
    headers = case.headers
    if case.meta is None or not case.meta.generation.mode.is_positive or not headers:
        return
    key = headers.get("idempotency-key")
    if key is not None:
        number = str(next(KEY_NUMBERS))
        headers["idempotency-key"] = number + str(key)[len(number) :]


@schemathesis.check
def valid_data_is_accepted(ctx: CheckContext, response: Response, case: Case) -> None:
    """`positive_data_acceptance`, but for the refusals above."""
    if response.status_code >= 400 and is_excused(response):
        return
    if in_part_binary(case) or is_data_alone(case):
        return
    positive_data_acceptance(ctx, response, case)


@schemathesis.check
def invalid_data_is_refused(ctx: CheckContext, response: Response, case: Case) -> None:
    """`negative_data_rejection`, but for headers of binary mode in requests of another mode."""
    # A batch is answered 207, with the refusal of each event in its result.
    if response.status_code == 207 and response.json()["refused"] > 0:
        return
    # A JSON null counts as no body: an optional body may be left out.
    if in_part_binary(case) or case.body is None:
        return
    negative_data_rejection(ctx, response, case)


def is_excused(response: Response) -> bool:
    if "problem+json" not in response.headers.get("content-type", [""])[0]:
        return False
    problem = response.json()
    pointers = [error["pointer"] for error in problem.get("errors", [])] or [""]
    fields = [field for code, field in REFUSED if code == problem["code"]]
    return all(any(pointer.startswith(field) for field in fields) for pointer in pointers)


def in_part_binary(case: Case) -> bool:
    """Whether a request has some of the `ce-` headers: they count together, and in binary mode alone."""
    return any(name.lower().startswith("ce-") for name in case.headers or {})


def is_data_alone(case: Case) -> bool:
    """Whether a request has the body of binary mode, the data as text or bytes, without any `ce-` header.

    The reference allows any content type for it, and cannot say that headers and body count together.
    """
    return case.path.endswith(("/events", "/events/batch")) and isinstance(case.body, (str, bytes))

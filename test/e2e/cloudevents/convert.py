"""Writes and reads CloudEvents with the Python SDK, as lines of JSON on stdin and stdout.

A line is {"write": event, "mode": "structured" | "binary"} or {"read": message}. An event has its
attributes, and data as {"json": ...}, {"text": ...} or {"base64": ...}, or none. A message has its
headers, and its body in base64.
"""

import base64
import json
import sys
from datetime import datetime

from cloudevents.core.bindings.http import HTTPMessage, from_http, to_binary, to_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from dateutil.parser import isoparse

FORMAT = JSONFormat()


def write(event, mode):
    attributes = dict(event["attributes"])
    if "time" in attributes:
        attributes["time"] = isoparse(attributes["time"])
    data = event.get("data")
    if data is not None:
        [(kind, value)] = data.items()
        data = base64.b64decode(value) if kind == "base64" else value
    made = CloudEvent(attributes, data)
    message = (to_structured if mode == "structured" else to_binary)(made, FORMAT)
    return {"headers": message.headers, "body": base64.b64encode(message.body).decode()}


def read(message):
    body = base64.b64decode(message["body"])
    event = from_http(HTTPMessage(message["headers"], body), FORMAT, CloudEvent)
    attributes = dict(event.get_attributes())
    for name, value in attributes.items():
        if isinstance(value, datetime):
            attributes[name] = value.isoformat()
    data = event.get_data()
    if isinstance(data, bytes):
        data = {"base64": base64.b64encode(data).decode()}
    return {"attributes": attributes, "data": data}


for line in sys.stdin:
    request = json.loads(line)
    answer = read(request["read"]) if "read" in request else write(request["write"], request["mode"])
    print(json.dumps(answer))

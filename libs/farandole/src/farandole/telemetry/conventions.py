"""The names that traces use, pinned: OpenTelemetry's conventions for messaging and CloudEvents, and our own.

The messaging conventions are still in development upstream; a later version of them is taken here or nowhere.
"""

SCHEMA_URL = "https://opentelemetry.io/schemas/1.44.0"
SCOPE = "farandole"
"""Name of the instrumentation scope of every span, and the service of what belongs to no service."""

SYSTEM = "messaging.system"
OPERATION_NAME = "messaging.operation.name"
OPERATION_TYPE = "messaging.operation.type"
DESTINATION = "messaging.destination.name"
PARTITION = "messaging.destination.partition.id"
CONSUMER_GROUP = "messaging.consumer.group.name"
MESSAGE_ID = "messaging.message.id"
CONVERSATION = "messaging.message.conversation_id"
BATCH_COUNT = "messaging.batch.message_count"
EVENT_ID = "cloudevents.event_id"
EVENT_SOURCE = "cloudevents.event_source"
EVENT_TYPE = "cloudevents.event_type"
ERROR_TYPE = "error.type"
EXCEPTION = "exception"
EXCEPTION_TYPE = "exception.type"
EXCEPTION_TEXT = "exception.message"

# The log is ours, whatever engine keeps it, so what only Kafka's conventions name stands under our own prefix.
STEP = "farandole.step"
DELIVERY = "farandole.delivery"
ATTEMPT = "farandole.attempt"
ENDING = "farandole.ending"
REASON = "farandole.reason"
DUE = "farandole.due"
GENERATION = "farandole.generation"
OFFSET = "farandole.offset"
KEY = "farandole.key"
GROUP = "farandole.group"
INDEX = "farandole.index"
ABSENT = "farandole.absent"
LINK = "farandole.link"

SERVICE_NAME = "service.name"
SERVICE_VERSION = "service.version"
SERVICE_INSTANCE = "service.instance.id"

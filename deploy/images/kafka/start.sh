# Makes the broker's settings of KAFKA_… (KAFKA_LOG_DIRS is log.dirs), formats its storage once, and becomes the broker.
set -euo pipefail
settings=/opt/kafka/config/server.properties

env | sed -n 's/^KAFKA_//p' | grep -v '^[A-Z_]*OPTS=' | while IFS='=' read -r name value; do
    printf '%s=%s\n' "$(printf '%s' "$name" | tr 'A-Z_' 'a-z.')" "$value"
done >"$settings"

# shellcheck disable=SC2206 # options are separated by spaces
java=(java ${KAFKA_HEAP_OPTS:-} ${KAFKA_JVM_PERFORMANCE_OPTS:--XX:+UseSerialGC -XX:TieredStopAtLevel=1}
    -Dlog4j2.configurationFile=/opt/kafka/log4j2.properties -cp '/opt/kafka/libs/*')
if [ ! -e "$KAFKA_LOG_DIRS/meta.properties" ]; then
    "${java[@]}" kafka.tools.StorageTool format --cluster-id="$CLUSTER_ID" --config "$settings"
fi
exec "${java[@]}" kafka.Kafka "$settings"

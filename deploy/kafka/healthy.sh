# Whether a broker answers on this port: it is asked for its versions (ApiVersions, version 0) in Kafka's own protocol.
# A JVM for each such question, as Kafka's own tools have it, would cost a fifth of a core. Bash, for it opens sockets.
set -eu
exec 3<>"/dev/tcp/localhost/$1"
printf '\0\0\0\012\0\022\0\0\0\0\0\001\377\377' >&3
# Behind the answer's length stand our correlation id, 1, and the error code, 0.
head -c 10 <&3 | tail -c 6 | cmp -s - <(printf '\0\0\0\001\0\0')

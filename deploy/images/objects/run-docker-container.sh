#!/bin/sh
# Becomes the server, with the settings that the variables hold.
# shellcheck disable=SC2086 # options are separated by spaces
exec java ${S3PROXY_JAVA_OPTS:-} -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
    -Dlogback.configurationFile=/opt/s3proxy/logback.xml \
    -Ds3proxy.endpoint="$S3PROXY_ENDPOINT" \
    -Ds3proxy.authorization="$S3PROXY_AUTHORIZATION" \
    -Ds3proxy.identity="$S3PROXY_IDENTITY" \
    -Ds3proxy.credential="$S3PROXY_CREDENTIAL" \
    -Djclouds.provider="$JCLOUDS_PROVIDER" \
    -Djclouds.identity= -Djclouds.credential= \
    -Djclouds.filesystem.basedir="$JCLOUDS_FILESYSTEM_BASEDIR" \
    -cp '/opt/s3proxy/libs/*' org.gaul.s3proxy.Main --properties /dev/null

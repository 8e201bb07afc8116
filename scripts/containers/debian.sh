#!/bin/sh
# Writes the file system of a minimal Debian as a tar archive: debian.sh ARCHIVE RELEASE PACKAGES. To be run by root, by
# `unshare --mount`: it works in memory, for dpkg waits for the disk after each file, and leaves nothing mounted.
set -eu

archive=$1 release=$2 packages=$3
root=$(mktemp -d)
trap 'cd / && umount "$root" && rmdir "$root"' EXIT
mount -t tmpfs -o mode=0755 farandole "$root"
debootstrap --variant=minbase ${packages:+--include="$packages"} "$release" "$root"
cd "$root"
# What Debian's own images for containers leave out too, for nobody reads it there. What copyright files say stays.
rm -rf var/cache/apt/* var/lib/apt/lists/* var/log/* var/cache/debconf/* tmp/* run/*
rm -rf usr/share/man/* usr/share/info/* usr/share/locale/* usr/share/groff/* usr/share/lintian/*
find usr/share/doc \( -type f -o -type l \) ! -name copyright -delete
tar --create --file "$archive" --numeric-owner .

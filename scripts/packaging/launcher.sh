#!/bin/sh
# lvsd @@VERSION@@ (@@COMMIT@@): this script, then a gzipped tar of the Deno runtime and lvsd. The first start unpacks
# it into a folder of its own in the user's cache, later ones find it there.
set -eu
umask 077

version='@@VERSION@@'
commit='@@COMMIT@@'
platform='@@PLATFORM@@'
payload_at=@@PAYLOAD_AT@@
payload_sum='@@PAYLOAD_SUM@@'
files='@@FILES@@'
files_sum='@@FILES_SUM@@'
flags='@@FLAGS@@'
permissions='@@PERMISSIONS@@'
# It reads /proc and /sys, which Deno allows together with all else.
case ${1:-} in @@HOST_READERS@@) permissions=--allow-all ;; esac
permissions=${LVSD_PERMISSIONS:-$permissions}

note() { printf 'lvsd: %s\n' "$1" >&2; }
fail() {
  note "$1"
  exit 3
}

file=$0
case $file in */*) ;; *) file=$(command -v -- "$file") || fail "cannot find myself as $0; start me by a path" ;; esac
here="$(uname -s)-$(uname -m)"
[ "$here" = "$platform" ] || fail "this file was built for $platform, this machine is $here; run deno task compile on such a machine"

sum_of() {
  if command -v sha256sum >/dev/null 2>&1; then sha256sum; else shasum -a 256; fi | cut -d ' ' -f 1
}

# What a change of an unpacked file changes too, and what only root could set back: inode, size, change time.
stamp_of() {
  stat -c '%i %s %Z' "$1"/* 2>/dev/null || stat -f '%i %z %c' "$1"/*
}

# Ours, and nobody else may write into it.
is_safe() {
  [ -d "$1" ] && [ ! -L "$1" ] && [ -O "$1" ] || return 1
  case $(ls -ld -- "$1") in d????-??-*) return 0 ;; *) return 1 ;; esac
}

files_sum_of() {
  for name in $files; do sum_of <"$1/$name" || return 1; done | sum_of
}

# A copy of the folder, as in a layer of an image, has other inodes: then the content decides.
is_whole() {
  [ -f "$1/.stamp" ] || return 1
  [ "$(cat "$1/.stamp")" = "$(stamp_of "$1")" ] && return 0
  [ "$(files_sum_of "$1" 2>/dev/null)" = "$files_sum" ] || return 1
  { stamp_of "$1" >"$1/.stamp"; } 2>/dev/null || true
}

unpack() {
  [ "$(tail -c +"$payload_at" "$file" | sum_of)" = "$payload_sum" ] ||
    fail "$file is damaged: its checksum is not the one it was built with; fetch it again"
  mkdir "$1" || return 1
  if trouble=$(tail -c +"$payload_at" "$file" | gzip -dc | tar -xf - -C "$1" 2>&1) && stamp_of "$1" >"$1/.stamp"; then
    return 0
  fi
  rm -rf "$1"
  note "cannot unpack into $1: $(printf %s "${trouble:-no room}" | head -n 1)"
  return 1
}

# Of two first starts at once one unpacks and the other waits, a minute at most. The link is made in one step and names
# its holder; a lock whose holder is dead is nobody's.
lock() {
  tries=0
  missed=0
  until ln -s $$ "$1.lock" 2>/dev/null; do
    if holder=$(readlink "$1.lock"); then
      kill -0 "$holder" 2>/dev/null || rm -f "$1.lock"
    else
      missed=$((missed + 1))
    fi
    tries=$((tries + 1))
    if [ $tries -ge 600 ] || [ $missed -ge 5 ]; then return 1; fi
    sleep 0.1
  done
}

# Unpacks beside it and moves it into place in one step: nobody ever sees half a folder.
install_into() {
  lock "$1" || return 1
  if ! is_safe "$1" || ! is_whole "$1"; then
    unpack "$1.fresh.$$" && replace "$1" "$1.fresh.$$"
  fi
  rm -f "$1.lock"
  is_safe "$1" && is_whole "$1"
}

# Looks again: of two that found the same dead holder, one may have been faster.
replace() {
  if is_safe "$1" && is_whole "$1"; then
    rm -rf "$2"
    return
  fi
  if [ -e "$1" ]; then
    note "$1 is not as it was unpacked; it is replaced"
    rm -rf "$1"
  fi
  mv "$2" "$1"
}

# Other versions and what starts left that were killed go, unless a running process has its runtime from there.
remove_others() {
  for other in "$1"/lvsd-*; do
    case $other in
      "$2") continue ;;
      *.lock) kill -0 "$(readlink "$other")" 2>/dev/null && continue ;;
      *.fresh.*) kill -0 "${other##*.}" 2>/dev/null && continue ;;
    esac
    # shellcheck disable=SC2010,SC2012
    ls -l /proc/[0-9]*/exe 2>/dev/null | grep -qF -- "$other/" || rm -rf "$other"
  done
}

prepare() {
  LVSD_BUILD="carried runtime, commit $commit" DENO_DIR="$1/.cache" DENO_NO_UPDATE_CHECK=1
  export LVSD_BUILD DENO_DIR DENO_NO_UPDATE_CHECK
}

start() {
  folder=$1
  shift
  prepare "$folder"
  # shellcheck disable=SC2086
  exec "$folder/deno" run $flags $permissions "$folder/lvsd.js" "$@"
}

start_once() {
  folder=$1
  shift
  prepare "$folder"
  exec 3<&0
  # shellcheck disable=SC2086
  "$folder/deno" run $flags $permissions "$folder/lvsd.js" "$@" <&3 &
  child=$!
  for signal in TERM INT HUP; do
    # shellcheck disable=SC2064
    trap "kill -$signal $child 2>/dev/null || true" "$signal"
  done
  # A signal ends the wait before the child has ended.
  while :; do
    wait "$child" && status=0 || status=$?
    kill -0 "$child" 2>/dev/null || break
  done
  rm -rf "$(dirname "$folder")"
  exit "$status"
}

cache=${XDG_CACHE_HOME:-${HOME:+$HOME/.cache}}
home=${cache:+$cache/lvsd}
if [ "$(id -u)" = 0 ] && [ -z "${XDG_CACHE_HOME:-}" ] && [ -d /var/cache ]; then
  # Nobody may read root's home, and --user goes on as somebody else: readable by all, writable by root.
  home=/var/cache/lvsd-runtime
  umask 022
fi
if [ -n "$home" ]; then
  place="$home/lvsd-$version-$(printf %.12s "$payload_sum")"
  if is_safe "$home" && is_safe "$place" && is_whole "$place"; then start "$place" "$@"; fi
  if mkdir -p "$home" 2>/dev/null && is_safe "$home" && [ -w "$home" ]; then
    if install_into "$place"; then
      remove_others "$home" "$place"
      start "$place" "$@"
    fi
  else
    note "$home cannot be used: it must be writable, yours, and closed to others"
  fi
fi

place=$(mktemp -d "${TMPDIR:-/tmp}/lvsd-XXXXXX") || fail "no folder to unpack into; set XDG_CACHE_HOME to one with 200 MB of room"
unpack "$place/lvsd" || {
  rm -rf "$place"
  fail "no room to unpack; set XDG_CACHE_HOME or TMPDIR to a folder with 200 MB of room"
}
note "unpacked into $place for this run only"
start_once "$place/lvsd" "$@"

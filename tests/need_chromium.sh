#!/bin/sh
# The browser tests drive Debian's Chromium. Install it where that is allowed, otherwise say what to do.
set -eu
[ -x /usr/bin/chromium ] && exit 0
if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    echo "Installing chromium for the browser tests"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null
    exit 0
fi
echo "The browser tests need Chromium at /usr/bin/chromium. On Debian or Ubuntu: sudo apt-get install chromium" >&2
exit 1

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# TITLE: boot, then 150 processes forked and executed one after the other
# GUEST: micro
# VCPUS: 1
# MEMORY: 128
# TIMEOUT: 600

set -e
i=0
while [ $i -lt 150 ]; do
	/bin/busybox true
	i=$((i + 1))
done

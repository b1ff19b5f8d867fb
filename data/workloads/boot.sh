#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# TITLE: boot of a minimal Linux, and power off
# GUEST: micro
# VCPUS: 1
# MEMORY: 128
# TIMEOUT: 120

exit 0

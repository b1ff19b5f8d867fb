#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# TITLE: boot, then perf bench sched messaging, 40 tasks on two vCPUs
# GUEST: full
# VCPUS: 2
# MEMORY: 512
# TIMEOUT: 600
# PACKAGES: linux-perf

set -e
perf bench sched messaging -g 1 -l 20

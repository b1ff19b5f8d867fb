/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What collector/running.bpf.c tells collector/running.c of each open file of KVM. */
#ifndef UNSYNC_COLLECTOR_RUNNING_RECORD_H
#define UNSYNC_COLLECTOR_RUNNING_RECORD_H

#include <stdint.h>

struct running_record {
	uint64_t kvm;	       /* addresses, to tell VMs and vCPUs apart; never shown */
	uint64_t vcpu;	       /* 0: the file is that of the VM */
	uint64_t shadow_pages; /* of the VM */
	uint32_t pid;
	uint32_t ran; /* the vCPU has run */
	char comm[16];
};

#endif

// SPDX-License-Identifier: GPL-2.0-only
/* Only in the library that tests are linked with; see history.h. */
#include "models/history.h"

static enum um_relapse present;
static const struct um_vcpu *running;

void um_relapse(enum um_relapse what)
{
	present = what;
	running = NULL;
}

bool um_relapsed(enum um_relapse what)
{
	return present == what;
}

void um_history_runs(const struct um_vcpu *vcpu)
{
	running = vcpu;
}

uint32_t um_history_role(uint32_t role)
{
	if (!um_relapsed(UM_RELAPSE_ROLE) || !running)
		return role;
	return (role & ~UT_ROLE_EFER_NX) | (um_root_role(running) & UT_ROLE_EFER_NX);
}

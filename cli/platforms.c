// SPDX-License-Identifier: GPL-2.0-only
#include "cli/platforms.h"

#include <string.h>

#include "cli/cli.h"

int platforms_add(struct platforms *platforms, const char *name)
{
	struct co_platform *list = platforms->list;
	char error[1024];

	if (platforms->n == MAX_PLATFORMS)
		return cli_fail("%s: more than %d platforms", name, MAX_PLATFORMS);
	if (co_platform_get(&list[platforms->n++], name, error, sizeof(error)))
		return cli_fail("%s", error);
	for (size_t i = 0; i + 1 < platforms->n; i++) {
		if (!strcmp(list[i].name, list[platforms->n - 1].name))
			return cli_fail("%s: platform '%s' is there already; give each once", name,
					list[i].name);
	}
	return EXIT_OK;
}

int platforms_get(struct platforms *platforms, const char *const *names, size_t n)
{
	int ret = EXIT_OK;

	for (size_t i = 0; i < n && !ret; i++)
		ret = platforms_add(platforms, names[i]);
	for (size_t i = 0; !n && co_builtin(i) && !ret; i++)
		ret = platforms_add(platforms, co_builtin(i));
	return ret;
}

void platforms_free(struct platforms *platforms)
{
	for (size_t i = 0; i < platforms->n; i++)
		co_platform_free(&platforms->list[i]);
	platforms->n = 0;
}

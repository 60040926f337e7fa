/* SPDX-License-Identifier: MIT */
/* The statistics page of a proxy: what its lines "stats …" say. */
#ifndef PROXYD_CFG_STATS_H
#define PROXYD_CFG_STATS_H

#include <stdbool.h>

enum cfg_stats_action {
	CFG_STATS_ALLOW,
	CFG_STATS_DENY,
	CFG_STATS_AUTH,
	CFG_STATS_ADMIN_IF, /* with the condition, servers may be changed */
};

struct cfg_stats_rule {
	enum cfg_stats_action action;
	const struct cond *cond; /* NULL: always */
	const char *realm;	 /* of AUTH; NULL: the page's */
};

struct cfg_stats {
	bool hide_version, legends, modules, show_desc, show_node;
	const char *uri, *realm;
	const char *desc, *node; /* NULL: the global section's */
	unsigned refresh_s;	 /* 0: the page does not refresh itself */
	const char *const *users;  /* "name:password" in base64, as a request has it */
	const char *const *scopes; /* names of proxies; ".": the one at hand */
	const struct cfg_stats_rule *rules;
	unsigned n_users, n_scopes, n_rules;
};

#endif

/* SPDX-License-Identifier: MIT */
/* Entries of stick tables that a connection or request is counted in: sc0, sc1, sc2. */
#ifndef PROXYD_RULES_TRACK_H
#define PROXYD_RULES_TRACK_H

#include "rules/table.h"

#define TRACK_MAX 3

struct track {
	struct table *table; /* a reference of the configuration's; NULL: nothing is tracked */
	struct table_entry *entry;
	bool of_request; /* until it ends; else until the connection does */
	bool is_shared;	 /* of a stream: its connection is counted in it already */
};

/* A second track of the same slot does nothing, as in HAProxy. */
void track_begin(struct track *t, struct table *table, struct sample *key, bool of_request,
		 uint64_t now_ns, struct scratch *scratch);
/* What a connection is counted in, for a stream of it. */
void track_share(struct track t[TRACK_MAX], const struct track from[TRACK_MAX]);
void track_end(struct track t[TRACK_MAX], bool only_of_request);

/* In all that is tracked, or only in what the connection (not a request) is. */
void track_count(struct track t[TRACK_MAX], enum table_data d, int64_t n, uint64_t now_ns);

#endif

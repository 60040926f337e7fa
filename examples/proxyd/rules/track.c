/* SPDX-License-Identifier: MIT */
#include "rules/track.h"

void track_begin(struct track *t, struct table *table, struct sample *key, bool of_request,
		 uint64_t now_ns, struct scratch *scratch)
{
	if (t->entry)
		return;
	t->entry = table_hold(table, key, true, now_ns, scratch);
	if (!t->entry)
		return;
	t->table = table;
	table_retain(table); /* it may be kept longer than its configuration */
	t->of_request = of_request;
	table_count(table, t->entry, table_at(TABLE_CONN_CUR), 1, now_ns);
	table_count(table, t->entry, table_at(TABLE_CONN_CNT), 1, now_ns); /* as HAProxy: of requests, too */
	if (!of_request) /* it began before */
		table_count(table, t->entry, table_at(TABLE_SESS_CNT), 1, now_ns);
}

void track_share(struct track t[TRACK_MAX], const struct track from[TRACK_MAX])
{
	for (int i = 0; i < TRACK_MAX; i++) {
		if (!from[i].entry)
			continue;
		t[i] = (struct track){from[i].table, from[i].entry, false, true};
		table_retain(t[i].table);
		table_hold_again(t[i].table, t[i].entry);
	}
}

void track_end(struct track t[TRACK_MAX], bool only_of_request)
{
	for (int i = 0; i < TRACK_MAX; i++) {
		if (!t[i].entry || (only_of_request && !t[i].of_request))
			continue;
		if (!t[i].is_shared)
			table_count(t[i].table, t[i].entry, table_at(TABLE_CONN_CUR), -1, 0); /* which has no rate */
		table_release(t[i].table, t[i].entry);
		table_put(t[i].table);
		t[i] = (struct track){.table = NULL};
	}
}

void track_count(struct track t[TRACK_MAX], enum table_data d, int64_t n, uint64_t now_ns)
{
	for (int i = 0; i < TRACK_MAX; i++)
		if (t[i].entry)
			table_count(t[i].table, t[i].entry, table_at(d), n, now_ns);
}

/* SPDX-License-Identifier: MIT */
/* The same choice as lb_pick() makes, on copies of what it would move. */
#include <errno.h>

#include "libsched/picker.h"

const char *lb_verdict_string(enum lb_verdict v)
{
	switch (v) {
	case LB_VERDICT_CHOSEN:
		return "chosen";
	case LB_VERDICT_CANDIDATE:
		return "candidate";
	case LB_VERDICT_OFFLINE:
		return "offline";
	case LB_VERDICT_DRAINING:
		return "draining";
	case LB_VERDICT_DOWN:
		return "down";
	case LB_VERDICT_DISABLED:
		return "disabled";
	case LB_VERDICT_WEIGHT:
		return "weight 0";
	case LB_VERDICT_STANDBY:
		return "standby: its priority group is closed";
	case LB_VERDICT_EXCLUDED:
		return "excluded by the request";
	case LB_VERDICT_FULL:
		return "at its maxconn";
	}
	return "unknown";
}

static enum lb_verdict verdict_of(const struct lb_query *q, size_t place, ssize_t chosen)
{
	const struct snap_server *e = &q->snap->at[place];

	if ((ssize_t)place == chosen)
		return LB_VERDICT_CHOSEN;
	if (e->why != LB_VERDICT_CANDIDATE)
		return (enum lb_verdict)e->why;
	if (request_excludes(q->request, e->id))
		return LB_VERDICT_EXCLUDED;
	return snap_full(e) ? LB_VERDICT_FULL : LB_VERDICT_CANDIDATE;
}

static struct lb_explanation explain_place(const struct lb_query *q, const void *cursor,
					   size_t place, ssize_t chosen)
{
	const struct lb_algo *ops = &q->snap->setup.ops;
	const struct snap_server *e = &q->snap->at[place];
	struct lb_explanation row = {
	    .size = sizeof(row),
	    .id = e->id,
	    .verdict = verdict_of(q, place, chosen),
	    .preferred = e->id == q->request->prefer,
	    .weight = e->set_weight,
	    .maxconn = e->maxconn,
	    .active = server_count(e->server, LB_COUNTER_ACTIVE),
	};

	if (e->weight && row.verdict <= LB_VERDICT_CANDIDATE && ops->score)
		row.score_valid = ops->score(q->snap, cursor, q, place, &row.score);
	return row;
}

int lb_explain(struct lb_picker *p, const struct lb_request *r,
	       int (*row)(const struct lb_explanation *e, void *userdata), void *userdata)
{
	struct lb_request own;
	struct lb_query q;
	uint64_t random;
	ssize_t chosen;
	void *trial;
	int e;

	if (!p || !row)
		return -EINVAL;
	e = request_of(r, &own, &q.request);
	if (e < 0)
		return e;
	if (p->explaining)
		return -EBUSY;
	picker_come_over(p);
	trial = line_alloc(p->snap->cursor_bytes);
	if (!trial)
		return -ENOMEM;
	memcpy(trial, p->cursor, p->snap->cursor_bytes);
	random = p->random;
	q.snap = p->snap;
	q.random = &random;
	chosen = picker_choose(&q, trial);
	memcpy(trial, p->cursor, p->snap->cursor_bytes); /* as it was before, whatever `row` does */
	p->explaining = true;
	for (size_t i = 0; i < q.snap->n && e == 0; i++) {
		const struct lb_explanation x = explain_place(&q, trial, i, chosen);

		e = row(&x, userdata);
	}
	p->explaining = false;
	line_free(trial);
	return e ? e : chosen < 0 ? (int)chosen : 0;
}

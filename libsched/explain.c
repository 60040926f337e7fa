/* SPDX-License-Identifier: MIT */
/* The same choice as lb_pick() makes, on copies of what it would move. */
#include <errno.h>
#include <stdio.h>

#include "base/hmap.h"
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
	return snap_full(q->snap, e) ? LB_VERDICT_FULL : LB_VERDICT_CANDIDATE;
}

struct trial {
	const struct lb_query *q;
	const void *cursor;
	ssize_t chosen;
	bool preferred; /* the algorithm was not asked */
	double least;	/* score of the chosen place, if has_least */
	bool has_least;
};

static bool score_of(const struct trial *t, size_t place, double *ret)
{
	const struct lb_algo *ops = &t->q->snap->setup.ops;

	return t->q->snap->at[place].weight && ops->score &&
	       ops->score(t->q->snap, t->cursor, t->q, place, ret);
}

/* What the scores say, where the algorithm has no words of its own. */
static void note_scores(const struct trial *t, size_t place, double score, char *note)
{
	if ((ssize_t)place == t->chosen)
		snprintf(note, LB_NOTE_MAX + 1, "no score is below its %g", score);
	else if (!t->has_least)
		return;
	else if (score > t->least)
		snprintf(note, LB_NOTE_MAX + 1, "its score %g is above %g", score, t->least);
	else if (score == t->least)
		snprintf(note, LB_NOTE_MAX + 1, "as good as the chosen one, which comes first");
}

static void note_of(const struct trial *t, const struct lb_explanation *row, size_t place,
		    char *note)
{
	const struct lb_algo *ops = &t->q->snap->setup.ops;

	if (row->preferred && row->verdict == LB_VERDICT_CHOSEN && t->preferred)
		snprintf(note, LB_NOTE_MAX + 1, "the request prefers it");
	else if (t->preferred)
		snprintf(note, LB_NOTE_MAX + 1, "the request prefers another");
	else if (ops->note)
		ops->note(t->q->snap, t->cursor, t->q, place, t->chosen, note, LB_NOTE_MAX + 1);
	else if (row->score_valid)
		note_scores(t, place, row->score, note);
}

static struct lb_explanation explain_place(const struct trial *t, size_t place, char *note)
{
	const struct snap_server *e = &t->q->snap->at[place];
	struct lb_explanation row = {
	    .size = sizeof(row),
	    .id = e->id,
	    .verdict = verdict_of(t->q, place, t->chosen),
	    .preferred = e->id == t->q->request->prefer,
	    .weight = e->set_weight,
	    .maxconn = e->maxconn,
	    .active = snap_count(t->q->snap, place, LB_COUNTER_ACTIVE),
	};

	note[0] = '\0';
	if (row.verdict <= LB_VERDICT_CANDIDATE) {
		row.score_valid = score_of(t, place, &row.score);
		note_of(t, &row, place, note);
	}
	row.note = note[0] ? note : NULL;
	return row;
}

int lb_explain(struct lb_picker *p, const struct lb_request *r,
	       int (*row)(const struct lb_explanation *e, void *userdata), void *userdata)
{
	struct lb_request own;
	struct lb_query q;
	struct trial t = {.q = &q};
	char note[LB_NOTE_MAX + 1];
	uint64_t random;
	void *trial;
	int e;

	if (!p || !row)
		return -EINVAL;
	e = request_of(r, &own, &q.request);
	if (e < 0)
		return e;
	if (p->explaining)
		return -EBUSY;
	e = picker_come_over(p);
	if (e < 0)
		return e;
	trial = line_alloc(p->snap->cursor_bytes);
	if (!trial)
		return -ENOMEM;
	memcpy(trial, p->cursor, p->snap->cursor_bytes);
	random = q.request->seed ? hmap_mix(q.request->seed) : p->random;
	q = query_of(p, q.request, &random);
	t.chosen = picker_choose(&q, trial);
	memcpy(trial, p->cursor, p->snap->cursor_bytes); /* as it was before, whatever `row` does */
	t.cursor = trial;
	t.preferred = t.chosen >= 0 && q.snap->at[t.chosen].id == q.request->prefer;
	t.has_least = t.chosen >= 0 && score_of(&t, (size_t)t.chosen, &t.least);
	p->explaining = true;
	for (size_t i = 0; i < q.snap->n && e == 0; i++) {
		const struct lb_explanation x = explain_place(&t, i, note);

		e = row(&x, userdata);
	}
	p->explaining = false;
	line_free(trial);
	return e ? e : t.chosen < 0 ? (int)t.chosen : 0;
}

/* SPDX-License-Identifier: MIT */
/* What changed is said: to the kernel process, to the supervisor, to the log, to those who look. */
#include "health/health.h"

#include "log.h"
#include "service_name.h"

/* For those who look: control/live.h. */
static void publish(struct virtual_state *v, const int32_t *weight)
{
	struct live *l = v->health->birth->live;
	struct live_virtual *to = &l->virtual[v->index];
	size_t n = v->conf->n_reals;

	for (size_t i = 0; i < n; i++) {
		atomic_store(&l->real[v->first_real + i].alive, v->real[i].alive);
		atomic_store(&l->real[v->first_real + i].weight, weight[i]);
	}
	atomic_store(&to->up, v->quorum.up);
	atomic_store(&to->live_weight, quorum_live_weight(v->real, n));
	atomic_store(&to->sorry_weight, v->quorum.up ? QUORUM_ABSENT : weight[n]);
}

/* Of the virtual servers before it each has a place for a sorry server, too: health/weights.h. */
static size_t first_place(const struct virtual_state *v)
{
	return v->first_real + v->index;
}

static void want(struct virtual_state *v)
{
	struct health *h = v->health;
	size_t n = v->conf->n_reals;

	quorum_weights(&v->quorum, v->real, n, h->weight);
	publish(v, h->weight);
	weights_want(h->birth->weights, v->index, first_place(v), h->weight, n + 1);
}

static void commit(struct health *h)
{
	const struct msg m = {.type = MSG_COMMIT};

	if (msg_send_wait(h->birth->ends.kernel, &m) < 0)
		log_err("the kernel process does not listen");
}

void health_tell_all(struct health *h)
{
	for (size_t i = 0; i < h->n_virtuals; i++)
		want(&h->virtuals[i]);
	commit(h);
}

void health_keep_quorum(struct virtual_state *v)
{
	atomic_store(&v->slot->quorum, v->quorum.up ? SHARED_ALIVE_UP : SHARED_ALIVE_DOWN);
}

void health_send_quorum(struct virtual_state *v, bool first)
{
	int64_t live = quorum_live_weight(v->real, v->conf->n_reals);
	const struct msg m = {.type = MSG_QUORUM,
			      .index = v->index,
			      .index2 = first,
			      .value = v->quorum.up,
			      .extra = live < INT32_MAX ? (int32_t)live : INT32_MAX};

	health_keep_quorum(v);
	msg_send_wait(v->health->birth->ends.control, &m);
}

/* keepalived's lines, which monitoring looks for. */
void health_log_quorum(const struct virtual_state *v, bool first)
{
	const struct conf_virtual *c = v->conf;
	int64_t live = quorum_live_weight(v->real, c->n_reals);
	bool up = v->quorum.up;
	char name[SERVICE_NAME_SIZE];
	const char *what = up	   ? "Gained quorum"
			   : first ? "Starting with quorum down"
				   : "Lost quorum";
	const char *sorry = up ? ": the sorry server goes" : ": the sorry server serves";

	log_notice("%s %d%c%d=%lld %s %lld for VS %s%s", what, c->quorum, up ? '+' : '-',
		   c->hysteresis, (long long)c->quorum + (up ? c->hysteresis : -c->hysteresis),
		   up ? "<=" : ">", (long long)live, service_virtual_name(c, name),
		   c->sorry ? sorry : "");
}

void health_tell_quorum(struct virtual_state *v)
{
	health_log_quorum(v, false);
	health_send_quorum(v, false);
}

void health_recount(struct virtual_state *v)
{
	if (quorum_update(&v->quorum, v->real, v->conf->n_reals))
		health_tell_quorum(v);
	if (v->waits)
		return;
	v->waits = true;
	v->next_waiting = v->health->waiting;
	v->health->waiting = v;
}

void health_tell_waiting(struct health *h)
{
	if (!h->waiting)
		return;
	for (struct virtual_state *v = h->waiting; v; v = v->next_waiting) {
		v->waits = false;
		want(v);
	}
	h->waiting = NULL;
	commit(h);
}

void health_tell_real(const struct virtual_state *v, uint32_t index, const char *why)
{
	const struct msg m = {
	    .type = MSG_REAL, .index = v->index, .index2 = index, .value = v->real[index].alive};
	static const char *const word[2][2][2] = {{{"Removing", "from"}, {"Adding", "to"}},
						  {{"Disabling", "of"}, {"Enabling", "of"}}};
	const struct quorum_real *r = &v->real[index];
	const char *const *what = word[r->inhibit][r->alive];
	char name[SERVICE_NAME_SIZE], in[SERVICE_NAME_SIZE];

	log_notice("%s service %s %s VS %s: %s", what[0],
		   service_real_name(v->conf, v->state[index].conf, name), what[1],
		   service_virtual_name(v->conf, in), why);
	msg_send_wait(v->health->birth->ends.control, &m);
}

void health_write_live(const struct probe *p, const struct health_check *c)
{
	const struct health *h = p->virtual->health;

	live_write_check(h->birth->live, (size_t)(p - h->probes), c);
}

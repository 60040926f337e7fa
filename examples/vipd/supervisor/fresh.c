/* SPDX-License-Identifier: MIT */
/*
 * vrrp and kernel write down what they know when they are asked. Who wants to show it waits here until that is
 * done, or until it is clear that nobody answers: nothing ever waits for them itself.
 */
#include "log.h"
#include "supervisor/state.h"

#define PATIENCE_NS UINT64_C(1000000000)

static void serve(struct supervisor *s)
{
	struct fresh f = s->fresh_waiters;

	s->fresh_waiters.n = 0;
	s->fresh_waiters.pending = 0;
	loop_arm(f.timer, LOOP_NEVER);
	for (size_t i = 0; i < f.n; i++)
		f.waiter[i].fn(s, f.waiter[i].userdata);
}

static void on_timer(struct loop *l, void *userdata)
{
	struct supervisor *s = userdata;
	struct fresh *f = &s->fresh_waiters;

	for (int r = 0; r < N_ROLES; r++)
		if (f->pending & 1u << r)
			log_warn("%s does not say what it knows: what was known before is shown", role_name((enum role)r));
	f->silent |= f->pending;
	serve(s);
}

int fresh_init(struct supervisor *s)
{
	return loop_add_timer(s->loop, on_timer, s, &s->fresh_waiters.timer);
}

/* kernel counts for virtual servers only. */
static unsigned whom_to_ask(const struct supervisor *s)
{
	unsigned roles = s->child[ROLE_VRRP].wanted ? 1u << ROLE_VRRP : 0;

	if (s->conf->n_virtuals && s->child[ROLE_KERNEL].pid)
		roles |= 1u << ROLE_KERNEL;
	return roles & ~s->fresh_waiters.silent;
}

static void ask(struct supervisor *s, unsigned roles)
{
	for (int r = 0; r < N_ROLES; r++)
		if (roles & 1u << r)
			child_tell(s, (enum role)r, MSG_STATS, 0);
}

/* Who is being replaced, or died over the question, does not answer: the successor is asked again. */
void fresh_begins(struct supervisor *s, enum role role)
{
	struct fresh *f = &s->fresh_waiters;

	f->silent &= ~(1u << role);
	ask(s, f->pending & 1u << role);
}

void fresh_ask(struct supervisor *s, fresh_fn *fn, void *userdata)
{
	struct fresh *f = &s->fresh_waiters;
	unsigned roles = whom_to_ask(s);

	if (!roles || f->n == FRESH_WAITERS_MAX) {
		fn(s, userdata);
		return;
	}
	f->waiter[f->n].fn = fn;
	f->waiter[f->n].userdata = userdata;
	if (f->n++)
		return; /* asked already */
	f->pending = roles;
	loop_arm(f->timer, loop_clock_ns() + PATIENCE_NS);
	ask(s, roles);
}

void fresh_arrived(struct supervisor *s, enum role from)
{
	struct fresh *f = &s->fresh_waiters;

	f->silent &= ~(1u << from);
	f->pending &= ~(1u << from);
	f->heard_ns[from] = loop_now_ns(s->loop);
	if (!f->pending && f->n)
		serve(s);
}

void fresh_forget(struct supervisor *s, const void *userdata)
{
	struct fresh *f = &s->fresh_waiters;
	size_t kept = 0;

	for (size_t i = 0; i < f->n; i++)
		if (f->waiter[i].userdata != userdata)
			f->waiter[kept++] = f->waiter[i];
	f->n = kept;
}

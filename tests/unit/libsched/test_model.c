/* SPDX-License-Identifier: MIT */
/*
 * Against a slow, obvious model under random edits and connections that end at random: the list newest
 * first, every edit committed alone (as a kernel knows it), sometimes several edits between two picks.
 */
#include "support.h"

#define SERVERS 70
#define STEPS 20000

struct model_server {
	uint64_t id;
	uint32_t weight, active, inactive;
	bool up;
};

struct model {
	struct model_server at[SERVERS];
	int n;
	int cursor; /* rr: chosen last; wrr: looked at last; -1: head of the list */
	int level, step, top;
};

static uint32_t weight_of(const struct model_server *s)
{
	return s->up ? s->weight : 0;
}

/* ---- The kernel's rules, one by one ---- */

static int model_rr(struct model *m)
{
	for (int k = 1; k <= m->n; k++) {
		int i = m->cursor < 0 ? k - 1 : (m->cursor + k) % m->n;

		if (weight_of(&m->at[i]))
			return m->cursor = i;
	}
	return -1;
}

static void model_wrr_edit(struct model *m)
{
	int step = 0, max = 0;

	for (int i = 0; i < m->n; i++) {
		int w = (int)weight_of(&m->at[i]), d = step ? step : w;

		max = w > max ? w : max;
		while (w && d && (w % d || (step && step % d)))
			d--;
		step = w ? d : step;
	}
	m->step = step ? step : 1;
	m->top = max ? max - (m->step - 1) : 0;
	m->cursor = -1;
	if (m->level > m->top || m->level == 0)
		m->level = m->top;
	else if (m->step > 1)
		m->level = m->level / m->step * m->step + 1;
}

static int model_wrr(struct model *m)
{
	if (!m->top)
		return -1;
	for (;;) {
		for (int i = m->cursor + 1; i < m->n; i++)
			if ((int)weight_of(&m->at[i]) >= m->level)
				return m->cursor = i;
		m->cursor = -1;
		m->level -= m->step;
		if (m->level <= 0)
			m->level = m->top;
	}
}

static int model_least(const struct model *m, bool weighted)
{
	int best = -1;
	double least = 0;

	for (int i = 0; i < m->n; i++) {
		const struct model_server *s = &m->at[i];
		double load = s->active * 256.0 + s->inactive;

		if (!weight_of(s))
			continue;
		if (weighted)
			load /= s->weight;
		if (best < 0 || load < least) {
			least = load;
			best = i;
		}
	}
	return best;
}

static int model_shortest_delay(const struct model *m, bool idle_first)
{
	int best = -1;

	for (int i = 0; i < m->n && idle_first; i++)
		if (weight_of(&m->at[i]) && !m->at[i].active)
			return i;
	for (int i = 0; i < m->n; i++) {
		if (!weight_of(&m->at[i]))
			continue;
		if (best < 0 || (m->at[i].active + 1.0) / m->at[i].weight <
				    (m->at[best].active + 1.0) / m->at[best].weight)
			best = i;
	}
	return best;
}

static int model_heaviest(const struct model *m, bool with_room)
{
	int best = -1;

	for (int i = 0; i < m->n; i++) {
		if (with_room && m->at[i].active > weight_of(&m->at[i]))
			continue;
		if (weight_of(&m->at[i]) > (best < 0 ? 0 : weight_of(&m->at[best])))
			best = i;
	}
	return best;
}

static int model_pick(struct model *m, const char *algo)
{
	if (!strcmp(algo, "sed") || !strcmp(algo, "nq"))
		return model_shortest_delay(m, algo[0] == 'n');
	if (!strcmp(algo, "fo") || !strcmp(algo, "ovf"))
		return model_heaviest(m, algo[0] == 'o');
	if (!strcmp(algo, "rr"))
		return model_rr(m);
	if (!strcmp(algo, "wrr"))
		return model_wrr(m);
	return model_least(m, !strcmp(algo, "wlc"));
}

/* ---- Edits to both ---- */

struct run {
	struct model m;
	struct lb_group *g;
	struct lb_picker *p;
	uint64_t next_id;
	uint32_t random;
	int servers; /* at most; few empty the list now and then, many make tall trees */
	bool heavy;  /* weights up to the greatest */
	size_t picks;
};

static uint32_t some_weight(struct run *r)
{
	static const uint32_t heavy[] = {
	    0, 1, 2, 3, 32768, 40000, LB_WEIGHT_MAX - 1, LB_WEIGHT_MAX};

	return r->heavy ? heavy[draw(&r->random, 8)] : draw(&r->random, 7);
}

static void add_one(struct run *r)
{
	uint32_t weight = some_weight(r);

	if (r->m.n == r->servers)
		return;
	memmove(&r->m.at[1], &r->m.at[0], (size_t)r->m.n * sizeof(r->m.at[0]));
	r->m.at[0] = (struct model_server){.id = ++r->next_id, .weight = weight, .up = true};
	r->m.n++;
	if (r->m.cursor >= 0)
		r->m.cursor++;
	add(r->g, r->next_id, weight);
}

static void remove_one(struct run *r)
{
	int i;

	if (!r->m.n)
		return;
	i = (int)draw(&r->random, (uint32_t)r->m.n);
	assert_int_equal(lb_server_remove(r->g, r->m.at[i].id), 0);
	memmove(&r->m.at[i], &r->m.at[i + 1], (size_t)(r->m.n - i - 1) * sizeof(r->m.at[0]));
	r->m.n--;
	if (r->m.cursor >= i)
		r->m.cursor--;
}

static void change_one(struct run *r)
{
	struct model_server *s;

	if (!r->m.n)
		return;
	s = &r->m.at[draw(&r->random, (uint32_t)r->m.n)];
	if (draw(&r->random, 2)) {
		s->up = !s->up;
		assert_int_equal(lb_server_set_up(r->g, s->id, s->up), 0);
	} else {
		s->weight = r->heavy ? some_weight(r)
				     : (s->weight + 1 + draw(&r->random, 6)) % 8; /* another one */
		assert_int_equal(lb_server_set_weight(r->g, s->id, s->weight), 0);
	}
}

static void edit(struct run *r)
{
	switch (draw(&r->random, 4)) {
	case 0:
		add_one(r);
		break;
	case 1:
		remove_one(r);
		break;
	default:
		change_one(r);
	}
}

static void end_some(struct run *r)
{
	for (int i = 0; i < r->m.n; i++) {
		struct model_server *s = &r->m.at[i];

		if (s->active && !draw(&r->random, 3)) {
			s->active--;
			assert_int_equal(lb_done(r->p, s->id, NULL), 0);
		}
		if (s->active && !draw(&r->random, 5)) {
			s->active--;
			s->inactive++;
			lb_count(r->p, s->id, LB_COUNTER_ACTIVE, -1);
			lb_count(r->p, s->id, LB_COUNTER_INACTIVE, 1);
		}
	}
}

static void pick_in_both(struct run *r, const char *algo)
{
	int expected = model_pick(&r->m, algo);
	uint64_t id;

	if (expected < 0) {
		bool all_out = true;

		for (int i = 0; i < r->m.n; i++)
			all_out &= !weight_of(&r->m.at[i]);
		assert_int_equal(lb_pick(r->p, NULL, &id), all_out ? -ENOSR : -EAGAIN);
		return;
	}
	assert_int_equal(lb_pick(r->p, NULL, &id), 0);
	assert_int_equal(id, r->m.at[expected].id);
	r->m.at[expected].active++;
	r->picks++;
}

static void same_as_the_model_with(const char *algo, uint32_t seed, int servers, bool heavy)
{
	struct run r = {.m = {.cursor = -1, .step = 1},
			.random = seed,
			.servers = servers,
			.heavy = heavy,
			.g = group_new(algo)};

	r.p = picker_of(r.g);
	for (int step = 0; step < STEPS; step++) {
		if (!draw(&r.random, 8)) {
			struct lb_group_stats before = {.size = sizeof(before)}, after = before;

			edit(&r);
			lb_group_stats(r.g, &before);
			commit(r.g);
			lb_group_stats(r.g, &after);
			if (!strcmp(algo, "wrr") && before.generation != after.generation)
				model_wrr_edit(&r.m);
			if (!strcmp(algo, "rr")) /* wrr needs no such help: it keeps a journal */
				lb_picker_refresh(r.p);
			continue;
		}
		pick_in_both(&r, algo);
		end_some(&r);
	}
	assert_true(r.picks > STEPS / 4);
	lb_group_free(r.g);
}

static void same_as_the_model(const char *algo, uint32_t seed)
{
	same_as_the_model_with(algo, seed, 12, false);
	same_as_the_model_with(algo, seed, SERVERS, false);
	if (strcmp(algo, "wrr")) /* the model would look at each of 65535 levels */
		same_as_the_model_with(algo, seed, 20, true);
}

/* Edits alone seldom make a group of just so many, and each number has a tree of its own shape. */
static void trees_of_each_size_choose_alike(void **state)
{
	static const char *const algos[] = {"lc", "wlc", "sed"};

	for (int n = 0; n < 3 * SERVERS; n++) {
		const char *algo = algos[n % 3];
		struct run r = {
		    .random = (uint32_t)n + 1, .servers = n / 3 + 1, .g = group_new(algo)};

		while (r.m.n < r.servers)
			add_one(&r);
		commit(r.g);
		r.p = picker_of(r.g);
		for (int step = 0; step < 300; step++) {
			pick_in_both(&r, algo);
			end_some(&r);
		}
		lb_group_free(r.g);
	}
}

static void rr_is_the_kernels(void **state)
{
	for (uint32_t seed = 1; seed <= 5; seed++)
		same_as_the_model("rr", seed);
}

static void wrr_is_the_kernels(void **state)
{
	for (uint32_t seed = 1; seed <= 5; seed++)
		same_as_the_model("wrr", seed);
}

static void lc_is_the_kernels(void **state)
{
	for (uint32_t seed = 1; seed <= 5; seed++)
		same_as_the_model("lc", seed);
}

static void wlc_is_the_kernels(void **state)
{
	for (uint32_t seed = 1; seed <= 5; seed++)
		same_as_the_model("wlc", seed);
}

static void sed_nq_fo_and_ovf_are_the_kernels(void **state)
{
	static const char *const algos[] = {"sed", "nq", "fo", "ovf"};

	for (size_t i = 0; i < 4; i++)
		for (uint32_t seed = 1; seed <= 3; seed++)
			same_as_the_model(algos[i], seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rr_is_the_kernels),
	    cmocka_unit_test(wrr_is_the_kernels),
	    cmocka_unit_test(lc_is_the_kernels),
	    cmocka_unit_test(wlc_is_the_kernels),
	    cmocka_unit_test(sed_nq_fo_and_ovf_are_the_kernels),
	    cmocka_unit_test(trees_of_each_size_choose_alike),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

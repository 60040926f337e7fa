/* SPDX-License-Identifier: MIT */
/*
 * One editor publishes while pickers pick, finish each other's requests, go offline and come back. Short
 * in the unit suite; run it under -Db_sanitize=thread and address too: a snapshot or a server freed
 * early shows there.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "support.h"

/* The thread sanitizer reports two accesses that nothing orders even where they did not meet, and takes thirty times as long. */
#ifdef __SANITIZE_THREAD__
#define TIMES(n) ((n) / 4)
#else
#define TIMES(n) (n)
#endif

#define PICKERS 4
#define PICKS TIMES(20000)
#define SERVERS 24
#define MAXCONN 3
#define LASTING 4 /* servers the editor leaves alone: room for all that can be held at once */
#define LEFT (LASTING * MAXCONN - PICKERS)

struct shared {
	struct lb_group *g;
	_Atomic uint64_t left[LEFT]; /* ids whose requests another thread is to end; 0: free */
	_Atomic uint32_t running[SERVERS + 1];
	_Atomic uint32_t finished;
	_Atomic uint64_t picked, wrong;
};

struct job {
	struct shared *shared;
	struct lb_picker *p;
	uint32_t random;
};

/* running[] is counted inside what the library counts: it never exceeds maxconn either. */
static void begin(struct shared *s, uint64_t id)
{
	if (atomic_fetch_add(&s->running[id], 1) >= MAXCONN)
		atomic_fetch_add(&s->wrong, 1);
	atomic_fetch_add(&s->picked, 1);
}

static void end(struct shared *s, struct lb_picker *p, uint64_t id)
{
	if (!id)
		return;
	atomic_fetch_sub(&s->running[id], 1);
	if (lb_done(p, id, NULL) != 0)
		atomic_fetch_add(&s->wrong, 1);
}

static void *pick_many(void *arg)
{
	struct job *j = arg;
	struct shared *s = j->shared;

	for (int i = 0; i < PICKS; i++) {
		uint64_t id = 0;
		int r = lb_pick(j->p, NULL, &id);

		if (r == 0)
			begin(s, id);
		else if (r != -EAGAIN) /* others were faster, again and again */
			atomic_fetch_add(&s->wrong, 1);
		/* Ours is left for another thread, and we end one that was left for us. */
		end(s, j->p, atomic_exchange(&s->left[draw(&j->random, LEFT)], id));
		if (!draw(&j->random, 500))
			lb_picker_offline(j->p);
	}
	lb_picker_offline(j->p);
	atomic_fetch_add(&s->finished, 1);
	return NULL;
}

static int add_server(struct lb_group *g, uint64_t id)
{
	struct lb_server_opts o = {.size = sizeof(o), .id = id, .maxconn = MAXCONN};

	return lb_server_add(g, &o, NULL);
}

static void edit(struct lb_group *g, uint32_t *random)
{
	uint64_t id = 1 + LASTING + draw(random, SERVERS - LASTING);

	switch (draw(random, 4)) {
	case 0:
		if (lb_server_remove(g, id) == -ENOENT)
			assert_int_equal(add_server(g, id), 0);
		break;
	case 1:
		lb_server_set_up(g, id, draw(random, 3));
		break;
	default:
		lb_server_set_weight(g, id, draw(random, 9));
	}
}

static void run(const char *algo)
{
	struct shared s = {.g = group_new(algo)};
	struct job job[PICKERS];
	pthread_t thread[PICKERS];
	struct lb_picker *last;
	uint32_t random = 1;

	for (uint64_t id = 1; id <= SERVERS; id++)
		assert_int_equal(add_server(s.g, id), 0);
	commit(s.g);
	for (uint32_t i = 0; i < PICKERS; i++) {
		job[i] = (struct job){.shared = &s, .p = picker_of(s.g), .random = i};
		assert_int_equal(pthread_create(&thread[i], NULL, pick_many, &job[i]), 0);
	}
	while (atomic_load(&s.finished) < PICKERS) {
		edit(s.g, &random);
		commit(s.g);
	}
	for (uint32_t i = 0; i < PICKERS; i++)
		pthread_join(thread[i], NULL);
	last = picker_of(s.g);
	for (size_t i = 0; i < LEFT; i++)
		end(&s, last, s.left[i]);
	assert_int_equal(s.wrong, 0);
	assert_true(s.picked > PICKS);
	for (uint64_t id = 1; id <= SERVERS; id++) {
		struct lb_server_stats st = {.size = sizeof(st)};

		if (lb_server_stats(s.g, id, &st) == 0)
			assert_int_equal(st.active, 0);
	}
	assert_int_equal(lb_group_reclaim(s.g), 0);
	lb_group_free(s.g);
}

static void edits_and_picks_do_not_meet(void **state)
{
	for (size_t i = 0; lb_algo_name(i); i++)
		run(lb_algo_name(i));
}

#define RACES TIMES(200000)
#define LIMITED 7

/* All but the last server have room for one; the last always has room. */
static void *never_sent_away(void *arg)
{
	struct lb_picker *p = arg;
	size_t wrong = 0;

	for (int i = 0; i < RACES; i++) {
		uint64_t id;

		if (lb_pick(p, NULL, &id) != 0 || lb_done(p, id, NULL) != 0)
			wrong++;
	}
	return wrong ? arg : NULL;
}

static void a_race_for_the_full_ones_leaves_the_free_one(void **state)
{
	for (size_t a = 0; lb_algo_name(a); a++) {
		struct lb_group *g = group_new(lb_algo_name(a));
		pthread_t thread[PICKERS];
		size_t wrong = 0;

		for (uint32_t id = 1; id <= LIMITED + 1; id++) {
			struct lb_server_opts o = {
			    .size = sizeof(o), .id = id, .weight = 10 * id, .maxconn = 1};

			if (id > LIMITED)
				o.weight = 1, o.maxconn = 0;
			assert_int_equal(lb_server_add(g, &o, NULL), 0);
		}
		commit(g);
		for (size_t i = 0; i < PICKERS; i++)
			assert_int_equal(
			    pthread_create(&thread[i], NULL, never_sent_away, picker_of(g)), 0);
		for (size_t i = 0; i < PICKERS; i++) {
			void *r;

			pthread_join(thread[i], &r);
			wrong += r != NULL;
		}
		assert_int_equal(wrong, 0);
		lb_group_free(g);
	}
}

struct counted {
	struct lb_picker *p;
	_Atomic uint32_t *finished;
};

/* ---- What others count is looked at while they, and their servers, come and go ---- */

#define COUNTERS 40 /* in chunks of 4 and more: slot.h */
#define HELD 16	    /* requests at a time */

static size_t end_all(struct lb_picker *p, const uint64_t held[HELD])
{
	size_t wrong = 0;

	for (size_t i = 0; i < HELD; i++)
		wrong += lb_done(p, held[i], NULL) != 0;
	return wrong;
}

/* Singly, each of which ends the oldest; and in bursts. */
static void *keeps_some(void *arg)
{
	struct counted *c = arg;
	uint64_t held[HELD];
	size_t wrong = lb_pick_many(c->p, NULL, NULL, HELD, held) != HELD;

	for (uint32_t i = 0; i < RACES / 4; i++) {
		uint64_t *id = &held[i % HELD];

		if (i % (2 * HELD) >= HELD) {
			wrong += lb_done(c->p, *id, NULL) != 0;
			wrong += lb_pick(c->p, NULL, id) != 0;
		} else if (i % HELD == 0) {
			wrong += end_all(c->p, held);
			wrong += lb_pick_many(c->p, NULL, NULL, HELD, held) != HELD;
		}
	}
	wrong += end_all(c->p, held);
	lb_picker_offline(c->p);
	atomic_fetch_add(c->finished, 1);
	return wrong ? arg : NULL;
}

static void come_and_go(struct lb_group *g)
{
	struct lb_picker *p = picker_of(g);
	uint64_t id;

	for (int i = 0; i < 2 * COUNTERS; i++) {
		assert_int_equal(lb_pick(p, NULL, &id), 0);
		assert_int_equal(lb_done(p, id, NULL), 0);
	}
	lb_picker_free(p);
}

/* Two pickers first, then a third at times; without limits, so that the usual pick is taken. */
static void others_are_looked_at_while_they_change(void **state)
{
	static const char *const algos[] = {"p2c", "wlc", "leastconn"};

	for (size_t a = 0; a < 3; a++) {
		struct lb_group *g = group_new(algos[a]);
		_Atomic uint32_t finished = 0;
		struct counted counted[2];
		pthread_t thread[2];
		uint32_t random = 1;
		uint64_t active = 0;
		size_t wrong = 0;

		for (uint64_t id = 1; id <= COUNTERS; id++)
			add(g, id, 1 + (uint32_t)id % 3);
		commit(g);
		for (size_t i = 0; i < 2; i++) {
			counted[i] = (struct counted){picker_of(g), &finished};
			assert_int_equal(pthread_create(&thread[i], NULL, keeps_some, &counted[i]), 0);
		}
		for (size_t i = 0; atomic_load(&finished) < 2; i++) {
			const uint64_t id = COUNTERS / 2 + draw(&random, COUNTERS / 2);

			if (lb_server_remove(g, id) == -ENOENT)
				add(g, id, 2);
			commit(g);
			lb_group_reclaim(g);
			if (i >= 200)
				come_and_go(g);
		}
		for (size_t i = 0; i < 2; i++) {
			void *r;

			pthread_join(thread[i], &r);
			wrong += r != NULL;
		}
		assert_int_equal(wrong, 0);
		for (uint64_t id = 1; id <= COUNTERS; id++) {
			struct lb_server_stats st = {.size = sizeof(st)};

			if (lb_server_stats(g, id, &st) == 0)
				active += st.active;
		}
		assert_int_equal(active, 0);
		lb_group_free(g);
	}
}

/* ---- Counts are read while they move ---- */

static void *ends_well_or_not(void *arg)
{
	struct counted *c = arg;
	struct lb_outcome o = {.size = sizeof(o)};

	for (int i = 0; i < RACES; i++) {
		uint64_t id;

		o.result = i % 4 == 3 ? LB_RESULT_SERVER : LB_RESULT_OK;
		if (lb_pick(c->p, NULL, &id) == 0)
			lb_done(c->p, id, &o);
	}
	atomic_fetch_add(c->finished, 1);
	return NULL;
}

/* Never less than before, nor more than there can be. */
static void assert_went_on(const struct lb_server_stats *was, const struct lb_server_stats *is)
{
	assert_true(is->picks >= was->picks);
	assert_true(is->picks <= PICKERS * RACES);
	for (size_t i = 0; i < 4; i++)
		assert_true(is->done[i] >= was->done[i]);
	assert_true(is->done[LB_RESULT_OK] <= PICKERS * RACES / 4 * 3);
}

static void counts_are_whole_at_any_moment(void **state)
{
	static const char *const algos[] = {"p2c", "rr"};

	for (size_t a = 0; a < 2; a++) {
		struct lb_group *g = GROUP(algos[a], 1);
		struct lb_server_stats was = stats_of(g, 1), is;
		_Atomic uint32_t finished = 0;
		struct counted counted[PICKERS];
		pthread_t thread[PICKERS];

		for (size_t i = 0; i < PICKERS; i++) {
			counted[i] = (struct counted){picker_of(g), &finished};
			assert_int_equal(
			    pthread_create(&thread[i], NULL, ends_well_or_not, &counted[i]), 0);
		}
		while (atomic_load(&finished) < PICKERS) {
			is = stats_of(g, 1);
			assert_went_on(&was, &is);
			was = is;
		}
		for (size_t i = 0; i < PICKERS; i++)
			pthread_join(thread[i], NULL);
		is = stats_of(g, 1);
		assert_int_equal(is.picks, PICKERS * RACES);
		assert_int_equal(is.done[LB_RESULT_OK], PICKERS * RACES / 4 * 3);
		assert_int_equal(is.done[LB_RESULT_SERVER], PICKERS * RACES / 4);
		assert_int_equal(is.active, 0);
		lb_group_free(g);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(edits_and_picks_do_not_meet),
	    cmocka_unit_test(a_race_for_the_full_ones_leaves_the_free_one),
	    cmocka_unit_test(others_are_looked_at_while_they_change),
	    cmocka_unit_test(counts_are_whole_at_any_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

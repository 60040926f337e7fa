/* SPDX-License-Identifier: MIT */
/* Keywords of the global section about the process: where its threads run, what it may use, how it starts and ends. */
#include "cfg/read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- cpu-map ---- */

/* "3", "2-5", "2-", and of threads, which begin at 1, "all", "odd", "even": as bits of a set. False: it is none. */
static bool read_range(const char *text, unsigned low, unsigned high, cpu_set_t *set)
{
	unsigned from, to, step = 1;
	int n = 0;

	if (low && (!strcmp(text, "all") || !strcmp(text, "odd") || !strcmp(text, "even"))) {
		step = *text == 'a' ? 1 : 2;
		from = *text == 'e' ? 2 : low;
		to = high;
	} else {
		if (sscanf(text, "%u%n", &from, &n) != 1)
			return false;
		to = from;
		if (text[n] == '-' && !text[n + 1])
			to = high;
		else if (text[n] && (sscanf(text + n, "-%u%n", &to, &n) != 1 || strlen(strchr(text, '-')) != (size_t)n))
			return false;
	}
	if (from < low || to > high || to < from)
		return false;
	for (; from <= to; from += step) /* the numbers of threads, too, are below CPU_SETSIZE */
		CPU_SET(from, set);
	return true;
}

/* The words from `i` on: CPUs, and lists of them with commas. False: told. */
static bool read_cpus(struct reader *r, size_t i, cpu_set_t *set)
{
	char list[1024], *save = NULL;

	for (; i < r->line->n; i++) {
		snprintf(list, sizeof(list), "%s", word_at(r, i));
		for (char *one = strtok_r(list, ",", &save); one; one = strtok_r(NULL, ",", &save))
			if (!read_range(one, 0, CPU_SETSIZE - 1, set)) {
				say(r, DIAG_ERROR, i, "\"%s\" is no set of CPUs: write numbers, and ranges such as 0-3", one);
				return false;
			}
	}
	return true;
}

/* auto: the threads of the set get one CPU each, in order. */
static void spread(cpu_set_t *map, const cpu_set_t *threads, const cpu_set_t *cpus)
{
	int cpu = -1;

	for (unsigned t = 1; t <= CFG_THREADS_MAX; t++) {
		if (!CPU_ISSET(t, threads))
			continue;
		do
			cpu++;
		while (!CPU_ISSET(cpu, cpus));
		CPU_ZERO(&map[t - 1]);
		CPU_SET(cpu, &map[t - 1]);
	}
}

/* "cpu-map [auto:]PROCESSES/THREADS CPUS"; there is one process, or one group of threads. */
void kw_cpu_map(struct reader *r, size_t first, const void *data)
{
	struct cfg_global *g = &r->cfg->global;
	const char *word = word_at(r, first);
	bool is_auto = !strncmp(word, "auto:", 5);
	char text[128], *slash;
	cpu_set_t processes, threads, cpus;

	CPU_ZERO(&processes);
	CPU_ZERO(&threads);
	CPU_ZERO(&cpus);
	snprintf(text, sizeof(text), "%s", word + (is_auto ? 5 : 0));
	slash = strchr(text, '/');
	if (slash)
		*slash++ = '\0';
	if (!read_range(text, 1, CFG_THREADS_MAX, &processes) ||
	    (slash && !read_range(slash, 1, CFG_THREADS_MAX, &threads))) {
		say(r, DIAG_ERROR, first,
		    "\"%s\" says no threads: write 1/all, 1/odd, 1/even, 1/2 or 1/1-4, with numbers from 1 to %u", word,
		    (unsigned)CFG_THREADS_MAX);
		return;
	}
	if (!read_cpus(r, first + 1, &cpus))
		return;
	if (!slash) { /* of nbproc; HAProxy 2.6 does nothing with it, either */
		say(r, DIAG_WARNING, first, "this line is about processes, and there is one: write cpu-map %s1/%s for its threads",
		    is_auto ? "auto:" : "", text);
		return;
	}
	if (is_auto && CPU_COUNT(&threads) != CPU_COUNT(&cpus)) {
		say(r, DIAG_ERROR, first, "auto: gives each thread one CPU, and these are %d threads and %d CPUs",
		    CPU_COUNT(&threads), CPU_COUNT(&cpus));
		return;
	}
	if (!CPU_ISSET(1, &processes))
		return;
	if (!g->cpu_map)
		g->cpu_map = keep(r, CFG_THREADS_MAX * sizeof(*g->cpu_map));
	if (g->cpu_map && is_auto)
		spread(g->cpu_map, &threads, &cpus);
	for (unsigned t = 0; g->cpu_map && !is_auto && t < CFG_THREADS_MAX; t++)
		if (CPU_ISSET(t + 1, &threads))
			g->cpu_map[t] = cpus;
}

/* ---- Limits, start and end ---- */

void kw_grace(struct reader *r, size_t first, const void *data)
{
	read_time(r, first, "grace", &r->cfg->global.grace_ns);
}

/* `data`: its place in the global section */
void kw_global_flag(struct reader *r, size_t first, const void *data)
{
	bool *flag = (bool *)((char *)&r->cfg->global + *(const size_t *)data);
	const char *word = word_at(r, first);

	*flag = !r->no && strcmp(word, "off") != 0;
	if (*word && strcmp(word, "on") != 0 && strcmp(word, "off") != 0)
		say(r, DIAG_ERROR, first, "\"%s\" is unknown here: write on, off or nothing", word);
}

/* SPDX-License-Identifier: MIT */
#include "schedule.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "log.h"

static void say(const char *what, const char *word, int r)
{
	if (r < 0)
		log_warn("%s_%s: %s", what, word, strerror(errno));
}

static void set_cpus(const struct conf_schedule *s, const char *what)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (int i = 0; i < CONF_CPUS_MAX; i++)
		if (s->cpus >> i & 1)
			CPU_SET(i, &set);
	say(what, "cpu_affinity", sched_setaffinity(0, sizeof(set), &set));
}

/* With a limit, what comes later would have to fit in: then only what is there is locked. */
static void lock_memory(const char *what)
{
	const struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
	int later = setrlimit(RLIMIT_MEMLOCK, &all) < 0 ? 0 : MCL_FUTURE;

	say(what, "no_swap", mlockall(MCL_CURRENT | MCL_ONFAULT | later));
}

bool schedule_is_late(const struct conf_schedule *s, uint64_t now_ns, uint64_t late_ns,
		      uint64_t *said_ns)
{
	if (!s->auto_priority || late_ns < (uint64_t)s->auto_delay_us * 1000 ||
	    now_ns - late_ns <= *said_ns)
		return false;
	*said_ns = now_ns;
	return true;
}

void schedule_raise(const struct conf_schedule *s, pid_t pid, const char *name, int late_ms)
{
	struct sched_param p = {0};

	sched_getparam(pid, &p); /* 0 of ordinary scheduling */
	if (++p.sched_priority > s->auto_priority)
		return;
	if (sched_setscheduler(pid, SCHED_RR | SCHED_RESET_ON_FORK, &p) < 0)
		log_warn("max_auto_priority: %s", strerror(errno));
	else
		log_notice("%s ran late by %d ms: its real-time priority is %d now", name, late_ms,
			   p.sched_priority);
}

void schedule_apply(const struct conf_schedule *s, const char *what)
{
	const struct rlimit limit = {(rlim_t)s->rttime_us, (rlim_t)s->rttime_us};
	const struct sched_param p = {.sched_priority = s->rt_priority};

	if (s->no_swap)
		lock_memory(what);
	if (s->nice)
		say(what, "priority", setpriority(PRIO_PROCESS, 0, s->nice));
	if (s->cpus)
		set_cpus(s, what);
	if (s->rttime_us)
		say(what, "rlimit_rttime", setrlimit(RLIMIT_RTTIME, &limit));
	if (s->rt_priority > 0)
		say(what, "rt_priority", sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &p));
}

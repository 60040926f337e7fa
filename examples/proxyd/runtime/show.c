/* SPDX-License-Identifier: MIT */
/* "show …": what is known of the running process. */
#include "runtime.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <syslog.h>

#include "engine/admin.h"
#include "engine/control.h"
#include "stats/info.h"
#include "stats/schema.h"
#include "stats/stat.h"
#include "version.h"

#define SECOND_NS UINT64_C(1000000000)
#define FDS_MAX 4096

/* ---- info, stat ---- */

static bool has_word(const struct call *c, const char *word)
{
	for (size_t i = 0; i < c->n; i++)
		if (!strcmp(c->word[i], word))
			return true;
	return false;
}

static enum stat_format format_of(const struct call *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (!strcmp(c->word[i], "json"))
			return STAT_JSON;
		else if (!strcmp(c->word[i], "typed"))
			return STAT_TYPED;
	return STAT_CSV;
}

void run_show_info(struct call *c)
{
	enum stat_format f = format_of(c);

	info_write(c->e, c->now_ns, f, (has_word(c, "float") ? INFO_FLOATS : 0) | (has_word(c, "desc") ? INFO_DESC : 0), c->out);
	if (f == STAT_JSON)
		out_text(c->out, "\n");
}

/* "PROXY TYPE SERVER": a name or number, bits of kinds, a number; -1: all. False: told. */
static bool read_filter(struct call *c, struct stat_filter *f)
{
	const struct cfg_proxy *p;
	const struct set *set = engine_set(c->e);
	char *end;
	long iid = strtol(c->word[0], &end, 10), kinds, sid;

	if (*end) {
		iid = 0;
		STAILQ_FOREACH (p, &set->cfg->proxies, next)
			if (!iid && !strcmp(p->name, c->word[0]))
				iid = p->id;
		if (!iid) {
			call_say(c, "No such proxy.\n");
			return false;
		}
	}
	kinds = strtol(c->word[1], &end, 10);
	sid = *end ? 0 : strtol(c->word[2], &end, 10);
	if (*end) {
		call_say(c, "Write show stat PROXY TYPE SERVER with -1 for all, and as TYPE 1 for frontends, 2 for "
			    "backends, 4 for servers, 8 for listeners, or a sum.\n");
		return false;
	}
	f->iid = iid < 0 ? STAT_ALL : (unsigned)iid;
	f->kinds = kinds < 0 ? 0 : (unsigned)kinds;
	f->sid = sid < 0 ? STAT_ALL : (unsigned)sid;
	return true;
}

void run_show_stat(struct call *c)
{
	static const char *const words[] = {"typed", "json", "desc", "up", "no-maint", NULL};
	struct stat_filter f = {.iid = STAT_ALL, .sid = STAT_ALL, .legends = c->level >= CFG_STATS_OPERATOR};
	enum stat_format format = format_of(c);
	bool is_word = !c->n;

	for (size_t k = 0; c->n && words[k]; k++)
		is_word |= !strcmp(words[k], c->word[0]);
	is_word |= c->n < 3; /* as in HAProxy: a filter has three words, and fewer are none */
	if (!is_word && !read_filter(c, &f))
		return;
	for (size_t i = is_word ? 0 : 3; i < c->n; i++) {
		f.up |= !strcmp(c->word[i], "up");
		f.no_maint |= !strcmp(c->word[i], "no-maint");
	}
	stat_write(c->e, c->now_ns, &f, format, has_word(c, "desc"), c->out);
	if (format == STAT_JSON)
		out_text(c->out, "\n");
}

void run_show_schema(struct call *c)
{
	schema_write(c->out);
	out_text(c->out, "\n");
}

void run_clear_counters(struct call *c)
{
	bool all = !strcmp(call_word(c, 0), "all");

	if (c->n && !all)
		call_say(c, "Write clear counters, or clear counters all.\n");
	else if (all && c->level < CFG_STATS_ADMIN)
		call_say(c, "Permission denied: \"clear counters all\" needs level admin.\n");
	else if (!admin_clear_counters(c->e, all))
		call_say(c, "There was not memory enough; some counters go on as they were.\n");
}

/* ---- Backends and servers ---- */

void run_show_backend(struct call *c)
{
	const struct set *set = engine_set(c->e);

	out_text(c->out, "# name\n");
	for (size_t i = 0; i < set->n_backends; i++)
		out_printf(c->out, "%s\n", set->backend[i].proxy->name);
}

/* As text without its port, which is returned. */
static unsigned address_of(const struct cfg_addr *a, char *buf, size_t cap)
{
	snprintf(buf, cap, "-");
	if (a->len && a->sa.sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)&a->sa;

		inet_ntop(AF_INET, &in->sin_addr, buf, (socklen_t)cap);
		return ntohs(in->sin_port);
	}
	if (a->len && a->sa.sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&a->sa;

		inet_ntop(AF_INET6, &in6->sin6_addr, buf, (socklen_t)cap);
		return ntohs(in6->sin6_port);
	}
	if (a->len)
		snprintf(buf, cap, "%s", a->unix_path.sun_path);
	return 0;
}

/* HAProxy's numbers of a state file. */
static unsigned code_number(enum health_code code)
{
	static const uint8_t number[] = {
	    [HEALTH_CODE_UNK] = 0,     [HEALTH_CODE_INI] = 1,	   [HEALTH_CODE_HANA] = 4,   [HEALTH_CODE_SOCKERR] = 5,
	    [HEALTH_CODE_L4OK] = 6,    [HEALTH_CODE_L4TOUT] = 7,   [HEALTH_CODE_L4CON] = 8,  [HEALTH_CODE_L6OK] = 9,
	    [HEALTH_CODE_L6TOUT] = 10, [HEALTH_CODE_L6RSP] = 11,   [HEALTH_CODE_L7TOUT] = 12, [HEALTH_CODE_L7RSP] = 13,
	    [HEALTH_CODE_L7OK] = 15,   [HEALTH_CODE_L7OKC] = 16,   [HEALTH_CODE_L7STS] = 17, [HEALTH_CODE_PROCERR] = 18,
	    [HEALTH_CODE_PROCTOUT] = 19, [HEALTH_CODE_PROCOK] = 20,
	};

	return code < sizeof(number) ? number[code] : 0;
}

/* HAProxy's bits: running, configured, enabled, an agent's. */
static unsigned agent_state(const struct server *s)
{
	struct health_check_status agent = {.size = sizeof(agent)};

	if (!s->agent || health_check_status(s->agent, &agent) < 0)
		return 0;
	return (agent.running ? 1u : 0) | 2u | (s->admin.no_agent ? 0 : 4u) | 0x10u;
}

/* An operator's, or as configured; NULL: none. */
static void given_address(const struct cfg_addr *said, const struct cfg_addr *configured, char *buf, size_t cap)
{
	const struct cfg_addr *a = said ? said : configured;

	if (a)
		address_of(a, buf, cap);
	else
		snprintf(buf, cap, "-");
}

static void state_line(struct call *c, const struct backend *b, const struct server *s, unsigned sid)
{
	const struct server_admin *a = &s->admin;
	struct health_check_status check = {.size = sizeof(check)};
	struct health_filter_status f = {.size = sizeof(f)};
	unsigned health = 0, result = 0, port;
	bool has = check_status(s, &check) == 0 &&
		   health_check_filter_status(s->check, &f) == 0;
	bool up = s->up && !server_in_maint(s);
	char addr[128], check_addr[128], agent_addr[128];

	port = address_of(server_addr(s), addr, sizeof(addr));
	given_address(a->check_addr, a->cfg ? a->cfg->check_addr : NULL, check_addr, sizeof(check_addr));
	given_address(a->agent_addr, a->cfg ? a->cfg->agent_addr : NULL, agent_addr, sizeof(agent_addr));
	if (!s->usable) { /* where it was means nothing */
		snprintf(addr, sizeof(addr), "-");
		port = a->cfg ? a->cfg->port : 0;
	}
	if (!s->check)
		health = up && !s->tracked ? 2 : 0; /* rise, as HAProxy starts it */
	if (has) {
		health = a->maint ? 0 : s->up ? f.rise + f.left - 1 : f.rise > f.left ? f.rise - f.left : 0;
		result = !check.runs			      ? 0
			 : check.verdict == HEALTH_NEUTRAL    ? 1
			 : check.code == HEALTH_CODE_L7OKC    ? 4
			 : check.verdict == HEALTH_FAIL || check.verdict == HEALTH_FAIL_NOW ? 2
								: 3;
	}
	out_printf(c->out, "%u %s %u %s %s %u %u %u %u %llu %u %u %u %u %u 0 %u %s %u %s %u %u %s %s %u\n", b->proxy->id,
		   b->proxy->name, sid, s->name, addr, !up ? 0u : s->draining ? 3u : server_share(s, c->now_ns) < 100 ? 1u : 2u,
		   (a->maint ? 1u : 0) | (a->via_maint ? 2u : 0) | (a->cfg_disabled && !a->cfg->dynamic ? 4u : 0) | (a->drain ? 8u : 0) |
		       (a->via_drain ? 16u : 0) | (s->usable ? 0 : 32u), a->weight, a->cfg_weight,
		   (unsigned long long)(c->now_ns > a->changed_ns ? (c->now_ns - a->changed_ns) / SECOND_NS : 0), has ? code_number(check.code) : 1,
		   result, health, has ? 2u + (a->no_checks ? 0 : 4) + (a->maint ? 8 : 0) : a->cfg_disabled && !a->cfg->dynamic ? 8u : 0,
		   agent_state(s), a->cfg && a->cfg->id_given ? 1u : 0, resolve_name(s) ? resolve_name(s) : "-", port, resolve_srv(s) ? resolve_srv(s) : "-",
		   atomic_load(&s->tls) ? 1u : 0u, a->check_port ? a->check_port : a->cfg ? a->cfg->check_port : 0,
		   check_addr, agent_addr, a->agent_port ? a->agent_port : a->cfg ? a->cfg->agent_port : 0);
}

/* Calls `line` for each server of all backends, or of the one that is named. */
static void each_server(struct call *c, void (*line)(struct call *c, const struct backend *b, const struct server *s,
						     unsigned sid))
{
	const struct set *set = engine_set(c->e);

	for (size_t i = 0; i < set->n_backends; i++) {
		const struct backend *b = &set->backend[i];

		if (c->n && strcmp(b->proxy->name, c->word[0]) != 0)
			continue;
		for (size_t k = 0; k < b->n_servers; k++)
			line(c, b, b->servers[k], b->lines[k]->id);
	}
}

static bool known_backend(struct call *c)
{
	if (!c->n || admin_backend(c->e, c->word[0]))
		return true;
	call_say(c, "Can't find backend.\n");
	return false;
}

void run_show_servers_state(struct call *c)
{
	if (!known_backend(c))
		return;
	out_text(c->out,
		 "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight "
		 "srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state "
		 "srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl "
		 "srv_check_port srv_check_addr srv_agent_addr srv_agent_port\n");
	each_server(c, state_line);
}

static void conn_line(struct call *c, const struct backend *b, const struct server *s, unsigned sid)
{
	const struct cfg_server *cfg = s->admin.cfg;
	unsigned used = atomic_load(&s->n_sessions), idle = 0, need = 0, port;
	struct tally_sum sum;
	char addr[128];

	tally_read(s->tally, c->now_ns, &sum);
	port = address_of(server_addr(s), addr, sizeof(addr));
	for (unsigned i = 0; s->http && i < c->e->n_workers; i++) {
		idle += atomic_load_explicit(&s->worker[i].n_idle, memory_order_relaxed);
		need += atomic_load_explicit(&s->worker[i].need, memory_order_relaxed);
	}
	out_printf(c->out, "%s/%s %u/%u %s %u - %llu %u %llu %u 0 %u %d %u", b->proxy->name, s->name, b->proxy->id, sid,
		   addr, port, (unsigned long long)(cfg->has_purge ? cfg->purge_ns : HTTP_PURGE_NS) / 1000000, used,
		   (unsigned long long)sum.sessions_max, need, idle, cfg->pool_max, idle);
	for (unsigned i = 0; i < c->e->n_workers; i++)
		out_printf(c->out, " %u", s->http ? atomic_load_explicit(&s->worker[i].n_idle, memory_order_relaxed) : 0u);
	out_text(c->out, "\n");
}

void run_show_servers_conn(struct call *c)
{
	if (!known_backend(c))
		return;
	out_printf(c->out,
		   "# bkname/svname bkid/svid addr port - purge_delay used_cur used_max need_est unsafe_nb safe_nb "
		   "idle_lim idle_cur idle_per_thr[%u]\n",
		   c->e->n_workers);
	each_server(c, conn_line);
}

/* ---- The process ---- */

void run_show_env(struct call *c)
{
	extern char **environ;
	size_t len = c->n ? strlen(c->word[0]) : 0;
	bool found = !c->n;

	for (char **v = environ; *v; v++)
		if (!c->n || (!strncmp(*v, c->word[0], len) && (*v)[len] == '=')) {
			out_text(c->out, *v);
			out_text(c->out, "\n");
			found = true;
		}
	if (!found)
		call_say(c, "Variable not found\n");
}

static int list_lib(struct dl_phdr_info *info, size_t size, void *userdata)
{
	struct call *c = userdata;
	uintptr_t first = UINTPTR_MAX, end = 0;
	char self[512] = "";
	ssize_t n;

	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type != PT_LOAD)
			continue;
		if (info->dlpi_addr + p->p_vaddr < first)
			first = info->dlpi_addr + p->p_vaddr;
		if (info->dlpi_addr + p->p_vaddr + p->p_memsz > end)
			end = info->dlpi_addr + p->p_vaddr + p->p_memsz;
	}
	if (!info->dlpi_name || !*info->dlpi_name) {
		n = readlink("/proc/self/exe", self, sizeof(self) - 1);
		self[n > 0 ? n : 0] = '\0';
	}
	if (end > first && strncmp(info->dlpi_name, "linux-vdso", 10) != 0)
		out_printf(c->out, "0x%012llx-0x%012llx (0x%07llx) %s\n", (unsigned long long)first, (unsigned long long)end - 1,
			   (unsigned long long)(end - first), *self ? self : info->dlpi_name);
	return 0;
}

void run_show_libs(struct call *c)
{
	dl_iterate_phdr(list_lib, c);
}

void run_show_version(struct call *c)
{
	call_note(c, LOG_INFO, "%s\n", PROXYD_VERSION_AS_HAPROXY);
}

void run_show_sockets(struct call *c)
{
	out_text(c->out, "# socket lvl processes\n");
	runtime_list_sockets(c->r, c->out);
}

void run_show_level(struct call *c)
{
	call_note(c, LOG_INFO, "%s\n", runtime_level_name(c->level));
}

static uint64_t n_loops(const struct engine *e, unsigned i)
{
	return atomic_load_explicit(&e->worker[i]->n_loops, memory_order_relaxed);
}

static uint64_t n_events(const struct engine *e, unsigned i)
{
	return atomic_load_explicit(&e->worker[i]->n_events, memory_order_relaxed);
}

static uint64_t n_accepted(const struct engine *e, unsigned i)
{
	const struct counters *k = atomic_load_explicit(&e->tally->of[i], memory_order_acquire);

	return k ? atomic_load_explicit(&k->n[COUNT_CONNECTIONS], memory_order_relaxed) : 0;
}

static uint64_t n_handed(const struct engine *e, unsigned i)
{
	return atomic_load_explicit(&e->worker[i]->n_handed, memory_order_relaxed);
}

static uint64_t n_refused(const struct engine *e, unsigned i)
{
	return atomic_load_explicit(&e->worker[i]->n_refused, memory_order_relaxed);
}

/* The sum, then each thread's. */
static void activity_row(struct call *c, const char *name, uint64_t (*of)(const struct engine *e, unsigned worker))
{
	uint64_t sum = 0, n[CFG_THREADS_MAX];

	for (unsigned i = 0; i < c->e->n_workers; i++)
		sum += n[i] = of(c->e, i);
	out_printf(c->out, "%s: %llu [", name, (unsigned long long)sum);
	for (unsigned i = 0; i < c->e->n_workers; i++)
		out_printf(c->out, " %llu", (unsigned long long)n[i]);
	out_text(c->out, " ]\n");
}

/* Without those of HAProxy's that count its tasks, pools and poller. */
void run_show_activity(struct call *c)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	out_printf(c->out, "thread_id: 0 (1..%u)\ndate_now: %lld.%06ld\n", c->e->n_workers, (long long)now.tv_sec,
		   now.tv_nsec / 1000);
	activity_row(c, "loops", n_loops);
	activity_row(c, "poll_io", n_events);
	activity_row(c, "accepted", n_accepted);
	activity_row(c, "accq_pushed", n_handed);
	activity_row(c, "accq_full", n_refused);
	out_printf(c->out, "vars_refused: %llu\n", (unsigned long long)atomic_load(&c->e->variables.refused));
}

void run_show_threads(struct call *c)
{
	for (unsigned i = 0; i < c->e->n_workers; i++) {
		const struct worker *w = c->e->worker[i];

		out_printf(c->out, "  Thread %u : sessions=%llu accepted=%llu\n", i + 1,
			   (unsigned long long)atomic_load_explicit(&w->n_open, memory_order_relaxed),
			   (unsigned long long)atomic_load_explicit(&w->n_total, memory_order_relaxed));
	}
}

void run_show_pools(struct call *c)
{
	struct info i;

	info_read(c->e, c->now_ns, &i);
	call_note(c, CALL_TEXT, "There are no pools: memory comes from malloc(3). Total: 0 pools, %llu bytes allocated, %llu used.\n",
		 (unsigned long long)i.n[INFO_POOL_ALLOC_BYTES], (unsigned long long)i.n[INFO_POOL_USED_BYTES]);
}

void run_show_fd(struct call *c)
{
	DIR *d = opendir("/proc/self/fd");
	const struct dirent *e;
	unsigned n = 0;

	while (d && (e = readdir(d)) && n < FDS_MAX) {
		char path[300], to[256];
		ssize_t len;

		snprintf(path, sizeof(path), "/proc/self/fd/%s", e->d_name);
		len = readlink(path, to, sizeof(to) - 1);
		if (len < 0 || (c->n && strcmp(c->word[0], e->d_name) != 0))
			continue;
		to[len] = '\0';
		out_printf(c->out, "%7s : %s\n", e->d_name, to);
		n++;
	}
	if (d)
		closedir(d);
	if (n == FDS_MAX)
		call_note(c, CALL_TEXT, "… and more: these are the first %d.\n", FDS_MAX);
}

/* ---- A master's socket: there is one process, which is master and worker ---- */

void run_show_proc(struct call *c)
{
	uint64_t up_s = (c->now_ns - c->e->started_ns) / SECOND_NS;

	out_text(c->out, "#<PID>          <type>          <reloads>       <uptime>        <version>\n");
	for (unsigned i = 0; i < 2; i++) {
		out_printf(c->out, "%s%-15d %-15s %-15u %lud%02luh%02lum%02lus     %s\n", i ? "# workers\n" : "",
			   (int)getpid(), i ? "worker" : "master", i ? 0u : c->e->n_applied - 1, up_s / 86400,
			   up_s / 3600 % 24, up_s / 60 % 60, up_s % 60, PROXYD_VERSION_AS_HAPROXY);
	}
}

void run_reload(struct call *c)
{
	runtime_reload(c);
	call_note(c, CALL_TEXT, "The configuration was read again; \"show proc\" and the log say with what result.\n");
}

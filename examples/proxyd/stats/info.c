/* SPDX-License-Identifier: MIT */
#include "info.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "engine/log/forward.h"
#include "engine/objects.h"
#include "tls/tls.h"
#include "version.h"

#define SECOND_NS UINT64_C(1000000000)

/* clang-format off */
const struct info_field_info info_fields[INFO_COUNT_] = {
    [INFO_NAME] = {"Name", 0, STAT_STR, "POS", "what this program is"},
    [INFO_VERSION] = {"Version", 1, STAT_STR, "POS", "its version, behind that of HAProxy whose configuration it reads"},
    [INFO_RELEASE_DATE] = {"Release_date", 2, STAT_STR, "POS", "when this version was made"},
    [INFO_NBTHREAD] = {"Nbthread", 3, STAT_U32, "CGS", "worker threads"},
    [INFO_NBPROC] = {"Nbproc", 4, STAT_U32, "CGS", "always 1: all threads are of one process"},
    [INFO_PROCESS_NUM] = {"Process_num", 5, STAT_U32, "KGP", "always 1"},
    [INFO_PID] = {"Pid", 6, STAT_U32, "SGP", "number of the process"},
    [INFO_UPTIME] = {"Uptime", 7, STAT_STR, "MDP", "time since the start, in words"},
    [INFO_UPTIME_SEC] = {"Uptime_sec", 8, STAT_U32, "MDP", "seconds since the start"},
    [INFO_MEMMAX_MB] = {"Memmax_MB", 9, STAT_U32, "CLP", "MiB of memory the process may have; 0: any"},
    [INFO_POOL_ALLOC_MB] = {"PoolAlloc_MB", 10, STAT_U32, "MGP", "MiB of memory the process has"},
    [INFO_POOL_USED_MB] = {"PoolUsed_MB", 11, STAT_U32, "MGP", "MiB of memory the process has"},
    [INFO_POOL_FAILED] = {"PoolFailed", 12, STAT_U32, "MCP", "clients that memory, or another resource of the system, ran out for"},
    [INFO_ULIMIT_N] = {"Ulimit-n", 13, STAT_U32, "CLP", "descriptors the process may have open"},
    [INFO_MAXSOCK] = {"Maxsock", 14, STAT_U32, "CLP", "the same"},
    [INFO_MAXCONN] = {"Maxconn", 15, STAT_U32, "CLP", "clients at a time that are served now at most"},
    [INFO_HARD_MAXCONN] = {"Hard_maxconn", 16, STAT_U32, "CLP", "the same, as configured"},
    [INFO_CURR_CONNS] = {"CurrConns", 17, STAT_U32, "MGP", "clients that are connected"},
    [INFO_CUM_CONNS] = {"CumConns", 18, STAT_U32, "MCP", "clients that connected since the start"},
    [INFO_CUM_REQ] = {"CumReq", 19, STAT_U32, "MCP", "HTTP requests and TCP sessions since the start"},
    [INFO_MAX_SSL_CONNS] = {"MaxSslConns", 20, STAT_U32, "MMP", "TLS connections at a time at most; 0: any number"},
    [INFO_CURR_SSL_CONNS] = {"CurrSslConns", 21, STAT_U32, "MGP", "TLS connections now"},
    [INFO_CUM_SSL_CONNS] = {"CumSslConns", 22, STAT_U32, "MCP", "TLS connections since the start, of clients and to servers"},
    [INFO_MAXPIPES] = {"Maxpipes", 23, STAT_U32, "CLP", "always 0: each thread has one pipe"},
    [INFO_PIPES_USED] = {"PipesUsed", 24, STAT_U32, "MGP", "always 0"},
    [INFO_PIPES_FREE] = {"PipesFree", 25, STAT_U32, "MGP", "always 0"},
    [INFO_CONN_RATE] = {"ConnRate", 26, STAT_U32, "MRP", "clients that connected in the last second"},
    [INFO_CONN_RATE_LIMIT] = {"ConnRateLimit", 27, STAT_U32, "CLP", "clients that may connect in a second; 0: any number"},
    [INFO_MAX_CONN_RATE] = {"MaxConnRate", 28, STAT_U32, "MMP", "most clients that connected in a second"},
    [INFO_SESS_RATE] = {"SessRate", 29, STAT_U32, "MRP", "sessions that began in the last second"},
    [INFO_SESS_RATE_LIMIT] = {"SessRateLimit", 30, STAT_U32, "CLP", "sessions that may begin in a second; 0: any number"},
    [INFO_MAX_SESS_RATE] = {"MaxSessRate", 31, STAT_U32, "MRP", "most sessions that began in a second"},
    [INFO_SSL_RATE] = {"SslRate", 32, STAT_U32, "MRP", "handshakes with clients in the last second"},
    [INFO_SSL_RATE_LIMIT] = {"SslRateLimit", 33, STAT_U32, "CLP", "handshakes with clients in a second at most; 0: any number"},
    [INFO_MAX_SSL_RATE] = {"MaxSslRate", 34, STAT_U32, "MMP", "most handshakes with clients in a second"},
    [INFO_SSL_FRONTEND_KEY_RATE] = {"SslFrontendKeyRate", 35, STAT_U32, "MGP", "handshakes with clients that made new keys, in the last second"},
    [INFO_SSL_FRONTEND_MAX_KEY_RATE] = {"SslFrontendMaxKeyRate", 36, STAT_U32, "MMP", "most of them in a second"},
    [INFO_SSL_FRONTEND_SESSION_REUSE_PCT] = {"SslFrontendSessionReuse_pct", 37, STAT_U32, "MGP", "percent of handshakes with clients that took up an earlier session, in the last second"},
    [INFO_SSL_BACKEND_KEY_RATE] = {"SslBackendKeyRate", 38, STAT_U32, "MRP", "handshakes with servers that made new keys, in the last second"},
    [INFO_SSL_BACKEND_MAX_KEY_RATE] = {"SslBackendMaxKeyRate", 39, STAT_U32, "MMP", "most of them in a second"},
    [INFO_SSL_CACHE_LOOKUPS] = {"SslCacheLookups", 40, STAT_U32, "MCP", "how often the cache of TLS sessions was asked"},
    [INFO_SSL_CACHE_MISSES] = {"SslCacheMisses", 41, STAT_U32, "MCP", "how often it did not have the session"},
    [INFO_COMPRESS_BPS_IN] = {"CompressBpsIn", 42, STAT_U32, "MRP", "bytes a second that go into compression"},
    [INFO_COMPRESS_BPS_OUT] = {"CompressBpsOut", 43, STAT_U32, "MRP", "bytes a second that come out of it"},
    [INFO_COMPRESS_BPS_RATE_LIM] = {"CompressBpsRateLim", 44, STAT_U32, "CLP", "bytes a second that may come out of it; 0: any number"},
    [INFO_TASKS] = {"Tasks", 47, STAT_U32, "MGP", "clients that are connected: there are no tasks"},
    [INFO_RUN_QUEUE] = {"Run_queue", 48, STAT_U32, "MGP", "always 0: there are no tasks"},
    [INFO_IDLE_PCT] = {"Idle_pct", 49, STAT_U32, "MaP", "percent of their time that threads waited"},
    [INFO_NODE] = {"node", 50, STAT_STR, "COS", "name of this machine"},
    [INFO_DESCRIPTION] = {"description", 51, STAT_STR, "COS", "what the configuration says of it"},
    [INFO_STOPPING] = {"Stopping", 52, STAT_U32, "MGP", "1: it stops when its clients have left"},
    [INFO_JOBS] = {"Jobs", 53, STAT_U32, "MGP", "listening addresses and clients"},
    [INFO_UNSTOPPABLE_JOBS] = {"Unstoppable Jobs", 54, STAT_U32, "MGP", "always 0"},
    [INFO_LISTENERS] = {"Listeners", 55, STAT_U32, "MGP", "listening addresses"},
    [INFO_ACTIVE_PEERS] = {"ActivePeers", 56, STAT_U32, "MGP", "always 0: tables are not shared"},
    [INFO_CONNECTED_PEERS] = {"ConnectedPeers", 57, STAT_U32, "MGP", "always 0: tables are not shared"},
    [INFO_DROPPED_LOGS] = {"DroppedLogs", 58, STAT_U32, "MGP", "always 0"},
    [INFO_BUSY_POLLING] = {"BusyPolling", 59, STAT_U32, "MGP", "always 0"},
    [INFO_FAILED_RESOLUTIONS] = {"FailedResolutions", 60, STAT_U32, "MGP", "always 0: see show resolvers"},
    [INFO_TOTAL_BYTES_OUT] = {"TotalBytesOut", 61, STAT_U64, "MGP", "bytes sent to clients since the start"},
    [INFO_TOTAL_SPLICDED_BYTES_OUT] = {"TotalSplicdedBytesOut", 62, STAT_U64, "MGP", "always 0"},
    [INFO_BYTES_OUT_RATE] = {"BytesOutRate", 63, STAT_U64, "MRP", "always 0"},
    [INFO_DEBUG_COMMANDS_ISSUED] = {"DebugCommandsIssued", 64, STAT_U32, "MGP", "always 0: there are no such commands"},
    [INFO_CUM_RECV_LOGS] = {"CumRecvLogs", 65, STAT_U32, "MCP", "log lines that log-forward received"},
    [INFO_BUILD_INFO] = {"Build info", 66, STAT_STR, "POS", "the version"},
    [INFO_MEMMAX_BYTES] = {"Memmax_bytes", 67, STAT_U32, "CLP", "bytes of memory the process may have; 0: any"},
    [INFO_POOL_ALLOC_BYTES] = {"PoolAlloc_bytes", 68, STAT_U64, "MGP", "bytes of memory the process has"},
    [INFO_POOL_USED_BYTES] = {"PoolUsed_bytes", 69, STAT_U64, "MGP", "bytes of memory the process has"},
    [INFO_START_TIME_SEC] = {"Start_time_sec", 70, STAT_U32, "MDP", "when it started, in seconds since 1970"},
    [INFO_TAINTED] = {"Tainted", 71, STAT_STR, "SGP", "always 0: nothing marks the process"},
};
/* clang-format on */

static void read_tls(const struct engine *e, uint64_t now_ns, struct info *i)
{
	struct tally_sum clients, servers;

	tally_read(e->tls_clients, now_ns, &clients);
	tally_read(e->tls_servers, now_ns, &servers);
	i->n[INFO_CURR_SSL_CONNS] = tls_open();
	i->n[INFO_MAX_SSL_CONNS] = atomic_load_explicit(&e->limits.tls_open, memory_order_relaxed);
	i->n[INFO_SSL_RATE_LIMIT] = atomic_load_explicit(&e->limits.tls_rate, memory_order_relaxed);
	i->n[INFO_CUM_SSL_CONNS] = clients.n[COUNT_CONNECTIONS] + servers.n[COUNT_CONNECTIONS];
	i->n[INFO_SSL_RATE] = clients.connection_rate;
	i->n[INFO_MAX_SSL_RATE] = clients.connection_rate_max;
	i->n[INFO_SSL_FRONTEND_KEY_RATE] = clients.session_rate;
	i->n[INFO_SSL_FRONTEND_MAX_KEY_RATE] = clients.session_rate_max;
	if (clients.session_rate < clients.connection_rate)
		i->n[INFO_SSL_FRONTEND_SESSION_REUSE_PCT] =
		    100 - (100 * clients.session_rate + (clients.connection_rate - 1) / 2) / clients.connection_rate;
	i->n[INFO_SSL_BACKEND_KEY_RATE] = servers.session_rate;
	i->n[INFO_SSL_BACKEND_MAX_KEY_RATE] = servers.session_rate_max;
	tls_session_lookups(&i->n[INFO_SSL_CACHE_LOOKUPS], &i->n[INFO_SSL_CACHE_MISSES]);
}

static void read_compression(const struct engine *e, uint64_t now_ns, struct info *i)
{
	i->n[INFO_COMPRESS_BPS_IN] = tally_rate(e->compressed, TALLY_CONNECTIONS, now_ns);
	i->n[INFO_COMPRESS_BPS_OUT] = tally_rate(e->compressed, TALLY_SESSIONS, now_ns);
	i->n[INFO_COMPRESS_BPS_RATE_LIM] = atomic_load_explicit(&e->limits.compression_rate, memory_order_relaxed);
}

static void read_counters(const struct engine *e, uint64_t now_ns, struct info *i)
{
	const struct set *set = engine_set(e);
	struct tally_sum s;
	uint64_t open, total;

	tally_read(e->tally, now_ns, &s);
	engine_count(e, &open, &total);
	i->n[INFO_CURR_CONNS] = open;
	i->n[INFO_CUM_CONNS] = total;
	i->n[INFO_CONN_RATE_LIMIT] = atomic_load_explicit(&e->limits.connection_rate, memory_order_relaxed);
	i->n[INFO_SESS_RATE_LIMIT] = atomic_load_explicit(&e->limits.session_rate, memory_order_relaxed);
	i->n[INFO_CONN_RATE] = i->n[INFO_SESS_RATE] = s.connection_rate;
	i->n[INFO_MAX_CONN_RATE] = i->n[INFO_MAX_SESS_RATE] = s.connection_rate_max;
	for (size_t k = 0; set && k < set->n_frontends; k++) {
		tally_read(set->frontend[k].gate->tally, now_ns, &s);
		i->n[INFO_CUM_REQ] += s.n[COUNT_REQUESTS];
		i->n[INFO_TOTAL_BYTES_OUT] += s.n[COUNT_BYTES_OUT];
	}
}

/* What the threads did not use of their time since it was last asked, over a second at least. */
static unsigned idle_percent(const struct engine *e, uint64_t now_ns)
{
	static uint64_t last_ns, last_cpu_ns; /* the control thread's */
	static unsigned idle = 100;
	struct timespec cpu;
	uint64_t cpu_ns, wall_ns = (now_ns - last_ns) * e->n_workers;

	if (now_ns - last_ns < SECOND_NS || clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu) < 0)
		return idle;
	cpu_ns = (uint64_t)cpu.tv_sec * SECOND_NS + (uint64_t)cpu.tv_nsec;
	if (last_ns)
		idle = cpu_ns - last_cpu_ns < wall_ns ? 100 - (unsigned)((cpu_ns - last_cpu_ns) * 100 / wall_ns) : 0;
	last_ns = now_ns;
	last_cpu_ns = cpu_ns;
	return idle;
}

static void read_process(const struct engine *e, uint64_t now_ns, struct info *i)
{
	uint64_t up_s = (now_ns - e->started_ns) / SECOND_NS;
	struct rlimit fds = {0}, memory = {.rlim_cur = RLIM_INFINITY};
	uint64_t pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	getrlimit(RLIMIT_NOFILE, &fds);
	getrlimit(RLIMIT_AS, &memory);
	if (f && fscanf(f, "%*u %lu", &pages) != 1)
		pages = 0;
	if (f)
		fclose(f);
	snprintf(i->uptime, sizeof(i->uptime), "%ud %uh%02um%02us", (unsigned)(up_s / 86400),
		 (unsigned)(up_s / 3600 % 24), (unsigned)(up_s / 60 % 60), (unsigned)(up_s % 60));
	i->text[INFO_UPTIME] = i->uptime;
	i->n[INFO_UPTIME_SEC] = up_s;
	i->up_ns = now_ns - e->started_ns;
	i->n[INFO_START_TIME_SEC] = (uint64_t)time(NULL) - up_s;
	i->n[INFO_ULIMIT_N] = i->n[INFO_MAXSOCK] = fds.rlim_cur;
	i->n[INFO_MEMMAX_BYTES] = memory.rlim_cur == RLIM_INFINITY ? 0 : memory.rlim_cur;
	i->n[INFO_MEMMAX_MB] = i->n[INFO_MEMMAX_BYTES] >> 20;
	i->n[INFO_POOL_FAILED] = engine_starved(e);
	/* there are no pools: what the process has of the system's memory */
	i->n[INFO_POOL_ALLOC_BYTES] = i->n[INFO_POOL_USED_BYTES] = pages * (uint64_t)sysconf(_SC_PAGESIZE);
	i->n[INFO_POOL_ALLOC_MB] = i->n[INFO_POOL_USED_MB] = i->n[INFO_POOL_ALLOC_BYTES] >> 20;
}

void info_read(const struct engine *e, uint64_t now_ns, struct info *ret)
{
	const struct set *set = engine_set(e);
	const struct cfg_global *g = set ? &set->cfg->global : NULL;

	memset(ret, 0, sizeof(*ret));
	gethostname(ret->hostname, sizeof(ret->hostname) - 1);
	ret->text[INFO_NAME] = "proxyd";
	ret->text[INFO_VERSION] = ret->text[INFO_BUILD_INFO] = PROXYD_VERSION_AS_HAPROXY;
	ret->text[INFO_RELEASE_DATE] = PROXYD_RELEASE_DATE;
	ret->text[INFO_NODE] = g && g->node ? g->node : ret->hostname;
	ret->text[INFO_DESCRIPTION] = g ? g->description : NULL;
	ret->text[INFO_TAINTED] = "0";
	ret->n[INFO_NBTHREAD] = e->n_workers;
	ret->n[INFO_NBPROC] = ret->n[INFO_PROCESS_NUM] = 1;
	ret->n[INFO_PID] = (uint64_t)getpid();
	ret->n[INFO_MAXCONN] = atomic_load(&e->gate.max);
	ret->n[INFO_HARD_MAXCONN] = e->maxconn;
	ret->n[INFO_IDLE_PCT] = idle_percent(e, now_ns);
	ret->n[INFO_STOPPING] = e->draining;
	ret->n[INFO_LISTENERS] = engine_listeners(e);
	read_process(e, now_ns, ret);
	read_counters(e, now_ns, ret);
	read_tls(e, now_ns, ret);
	read_compression(e, now_ns, ret);
	ret->n[INFO_CUM_RECV_LOGS] = forwards_count(e->forwards);
	ret->n[INFO_JOBS] = ret->n[INFO_LISTENERS] + ret->n[INFO_CURR_CONNS];
	ret->n[INFO_TASKS] = ret->n[INFO_CURR_CONNS];
}

/* What is told with a fraction to who asks for that; as HAProxy. */
static bool may_be_float(unsigned f)
{
	switch (f) {
	case INFO_UPTIME_SEC:
	case INFO_CONN_RATE:
	case INFO_SESS_RATE:
	case INFO_SSL_RATE:
	case INFO_SSL_FRONTEND_KEY_RATE:
	case INFO_SSL_FRONTEND_SESSION_REUSE_PCT:
	case INFO_SSL_BACKEND_KEY_RATE:
	case INFO_COMPRESS_BPS_IN:
	case INFO_COMPRESS_BPS_OUT:
	case INFO_START_TIME_SEC:
		return true;
	default:
		return false;
	}
}

static void put_value(const struct info *i, unsigned f, bool floats, struct out *o)
{
	if (info_fields[f].type == STAT_STR)
		out_text(o, i->text[f]);
	else if (floats && f == INFO_UPTIME_SEC) /* the others are counted in whole numbers */
		out_printf(o, "%.6f", (double)i->up_ns / 1e9);
	else
		out_number(o, i->n[f]);
}

static const char *type_of(unsigned f, bool floats)
{
	static const char *const name[] = {"u32", "u64", "s32", "str"};

	return floats && may_be_float(f) ? "flt" : name[info_fields[f].type];
}

static void put_json(const struct info *i, unsigned f, bool floats, struct out *o)
{
	const struct info_field_info *field = &info_fields[f];

	out_printf(o, "{\"field\":{\"pos\":%u,\"name\":\"%s\"},\"processNum\":1,", field->position, field->name);
	stat_write_tags(o, field->tags);
	out_printf(o, ",\"value\":{\"type\":\"%s\",\"value\":", type_of(f, floats));
	if (field->type == STAT_STR) {
		out_text(o, "\"");
		out_json(o, i->text[f]);
		out_text(o, "\"");
	} else {
		put_value(i, f, floats, o);
	}
	out_text(o, "}}");
}

void info_write(const struct engine *e, uint64_t now_ns, enum stat_format format, unsigned flags, struct out *o)
{
	bool comma = false, floats = flags & INFO_FLOATS;
	struct info i;

	info_read(e, now_ns, &i);
	if (format == STAT_JSON)
		out_text(o, "[");
	for (unsigned f = 0; f < INFO_COUNT_; f++) {
		const struct info_field_info *field = &info_fields[f];

		if (field->type == STAT_STR && !i.text[f])
			continue;
		if (format == STAT_JSON) {
			out_text(o, comma ? "," : "");
			put_json(&i, f, floats, o);
			comma = true;
			continue;
		}
		if (format == STAT_TYPED)
			out_printf(o, "%u.%s.1:%s:%s:", field->position, field->name, field->tags,
				   type_of(f, floats));
		else
			out_printf(o, "%s: ", field->name);
		put_value(&i, f, floats, o);
		if (flags & INFO_DESC)
			out_printf(o, ":\"%s\"", field->desc);
		out_text(o, "\n");
	}
	if (format == STAT_JSON)
		out_text(o, "]");
}

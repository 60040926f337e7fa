/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>

#include "conf/reference.h"
#include "fnv1a.h"

#define VERSION "vipd " VIPD_VERSION

enum {
	OPT_SIGNUM = 256,
	OPT_ALL,
	OPT_KEYWORD,
	OPT_JSON,
	OPT_CONTROL,
	OPT_METRICS,
	OPT_UPGRADE,
	OPT_UNUSED,	/* keepalived's, without a meaning here */
	OPT_UNUSED_ARG, /* the same, with an argument */
};

static const struct option long_options[] = {
    {"use-file", required_argument, NULL, 'f'},
    {"vrrp", no_argument, NULL, 'P'},
    {"check", no_argument, NULL, 'C'},
    {"all", no_argument, NULL, OPT_ALL},
    {"log-console", no_argument, NULL, 'l'},
    {"log-detail", no_argument, NULL, 'D'},
    {"log-facility", required_argument, NULL, 'S'},
    {"no-syslog", no_argument, NULL, 'G'},
    {"dont-release-vrrp", no_argument, NULL, 'V'},
    {"dont-release-ipvs", no_argument, NULL, 'I'},
    {"dont-respawn", no_argument, NULL, 'R'},
    {"dont-fork", no_argument, NULL, 'n'},
    {"dump-conf", no_argument, NULL, 'd'},
    {"pid", required_argument, NULL, 'p'},
    {"vrrp_pid", required_argument, NULL, 'r'},
    {"checkers_pid", required_argument, NULL, 'c'},
    {"namespace", required_argument, NULL, 's'},
    {"config-id", required_argument, NULL, 'i'},
    {"config-test", optional_argument, NULL, 't'},
    {"control", required_argument, NULL, OPT_CONTROL},
    {"metrics", required_argument, NULL, OPT_METRICS},
    {"upgrade", no_argument, NULL, OPT_UPGRADE},
    {"signum", required_argument, NULL, OPT_SIGNUM},
    {"json", no_argument, NULL, OPT_JSON},
    {"keyword", optional_argument, NULL, OPT_KEYWORD},
    {"version", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
    {"no_bfd", no_argument, NULL, OPT_UNUSED},
    {"flush-log-file", no_argument, NULL, OPT_UNUSED},
    {"release-vips", no_argument, NULL, OPT_UNUSED},
    {"address-monitoring", no_argument, NULL, OPT_UNUSED},
    {"all-config", no_argument, NULL, OPT_UNUSED},
    {"snmp", no_argument, NULL, OPT_UNUSED},
    {"core-dump", no_argument, NULL, OPT_UNUSED},
    {"no-mem-check", no_argument, NULL, OPT_UNUSED},
    {"ignore-sigint", no_argument, NULL, OPT_UNUSED},
    {"log-file", required_argument, NULL, OPT_UNUSED_ARG},
    {"bfd_pid", required_argument, NULL, OPT_UNUSED_ARG},
    {"snmp-agent-socket", required_argument, NULL, OPT_UNUSED_ARG},
    {"umask", required_argument, NULL, 'u'},
    {"core-dump-pattern", optional_argument, NULL, OPT_UNUSED_ARG},
    {"perf", optional_argument, NULL, OPT_UNUSED_ARG},
    {"debug", optional_argument, NULL, OPT_UNUSED_ARG},
    {0}};

#define SHORT_OPTIONS "f:PClDS:GVIRndp:r:c:i:t::vhBXaexmg:b:A:u:M::s:T"

static const char help[] =
    "vipd - virtual addresses (VRRP) and load balancing, from a keepalived.conf\n"
    "\n"
    "Usage: vipd [OPTION]...\n"
    "\n"
    "To begin with:\n"
    "  vipd -t -f FILE             is FILE right? Every finding with line and column\n"
    "  vipd -n -l -f FILE          run in the foreground and log to this terminal\n"
    "  kill -HUP $(cat PIDFILE)    read the file again; what did not change is not touched\n"
    "\n"
    "What it runs:\n"
    "  -f, --use-file=FILE         configuration (default /etc/keepalived/keepalived.conf)\n"
    "  -t, --config-test[=FILE]    only check it, findings to FILE or stderr. Exit code: 0 right,\n"
    "                              4 cannot run, 5 runs, but not all of it, 6 unsafe scripts\n"
    "      --json                  with -t: findings as JSON on stdout\n"
    "  -P, --vrrp                  only VRRP\n"
    "  -C, --check                 only virtual servers and their checks\n"
    "  -i, --config-id=ID          lines that begin with @ID are for this node (default: host "
    "name)\n"
    "\n"
    "How it runs:\n"
    "  -n, --dont-fork             stay in the foreground\n"
    "  -R, --dont-respawn          stop when one of its processes dies, instead of starting it "
    "again\n"
    "  -V, --dont-release-vrrp     leave the addresses when it stops\n"
    "  -I, --dont-release-ipvs     leave the virtual servers when it stops\n"
    "  -s, --namespace=NAME        run in that network namespace, see ip-netns(8)\n"
    "  -p, --pid=FILE              pid file of the parent (default /run/keepalived.pid)\n"
    "  -r, --vrrp_pid=FILE         of the VRRP process (default /run/vrrp.pid)\n"
    "  -c, --checkers_pid=FILE     of the one that checks servers (default /run/checkers.pid)\n"
    "      --control=FILE          socket for lbctl(1); default: as -p, with .sock for .pid\n"
    "      --upgrade               make the running vipd become this program; nobody notices\n"
    "  -u, --umask=MASK            of scripts, in octal\n"
    "      --metrics=WHERE         serve /metrics for Prometheus at 127.0.0.1:9650, or at a\n"
    "                              socket's path\n"
    "\n"
    "What it says:\n"
    "  -l, --log-console           log to stderr too\n"
    "  -G, --no-syslog             do not log to syslog\n"
    "  -S, --log-facility=0..7     log to syslog as local0 to local7\n"
    "  -D, --log-detail            log more\n"
    "  -d, --dump-conf             write what was understood to keepalived.data, as SIGUSR1 does\n"
    "      --signum=NAME           the signal for STOP, RELOAD, DATA, STATS, STATS_CLEAR, JSON\n"
    "      --keyword[=WORD]        what WORD of the configuration does; without: all words\n"
    "      --genhash OPTION...     the MD5 of a page, for \"digest\": see vipd --genhash --help\n"
    "  -v, --version    -h, --help\n"
    "\n"
    "Other options of keepalived are accepted, with a note. See vipd(8).\n";

static int print_signal(const char *name)
{
	const struct {
		const char *name;
		int number;
	} known[] = {{"STOP", SIGTERM},
		     {"RELOAD", SIGHUP},
		     {"DATA", SIGUSR1},
		     {"STATS", SIGUSR2},
		     {"STATS_CLEAR", SIGRTMAX - 1},
		     {"JSON", SIGRTMIN + 2}};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (!strcmp(name, known[i].name)) {
			printf("%d\n", known[i].number);
			return 0;
		}
	}
	fprintf(stderr, "vipd: --signum=%s: write STOP, RELOAD, DATA, STATS, STATS_CLEAR or JSON\n",
		name);
	return EXIT_FATAL;
}

static int explain_keyword(const char *word)
{
	if (!word) {
		conf_reference_list(stdout);
		return 0;
	}
	if (conf_reference_explain(word, stdout))
		return 0;
	fprintf(stderr, "vipd: --keyword=%s: there is no such word. vipd --keyword lists all\n",
		word);
	return EXIT_FATAL;
}

static int read_facility(const char *text, int *ret)
{
	static const int local[] = {LOG_LOCAL0, LOG_LOCAL1, LOG_LOCAL2, LOG_LOCAL3,
				    LOG_LOCAL4, LOG_LOCAL5, LOG_LOCAL6, LOG_LOCAL7};

	if (text[0] < '0' || text[0] > '7' || text[1]) {
		fprintf(stderr, "vipd: -S %s: write a number from 0 (local0) to 7 (local7)\n",
			text);
		return EXIT_FATAL;
	}
	*ret = local[text[0] - '0'];
	return -1;
}

static int read_umask(const char *text, int *ret)
{
	char *end;
	long mask = strtol(text, &end, 0);

	if (end == text || *end || mask < 0 || mask > 0777) {
		fprintf(stderr, "vipd: -u %s: write an octal number, such as 027\n", text);
		return EXIT_FATAL;
	}
	*ret = (int)mask;
	return -1;
}

static int refuse(const char *what)
{
	fprintf(stderr, "vipd: %s is not supported by this version. See vipd --help\n", what);
	return EXIT_FATAL;
}

/* Options that set one member: a text, or a switch. */
static const struct {
	int option;
	size_t at;
} texts[] = {
    {'f', offsetof(struct options, file)},
    {'p', offsetof(struct options, pid_file)},
    {'r', offsetof(struct options, vrrp_pid_file)},
    {'c', offsetof(struct options, check_pid_file)},
    {'i', offsetof(struct options, config_id)},
    {OPT_CONTROL, offsetof(struct options, control)},
    {OPT_METRICS, offsetof(struct options, metrics)},
    {'s', offsetof(struct options, name_space)},
}, switches[] = {
    {'P', offsetof(struct options, vrrp)},
    {'C', offsetof(struct options, check)},
    {'l', offsetof(struct options, console)},
    {'D', offsetof(struct options, detail)},
    {'G', offsetof(struct options, no_syslog)},
    {'V', offsetof(struct options, keep_addresses)},
    {'I', offsetof(struct options, keep_services)},
    {'R', offsetof(struct options, dont_respawn)},
    {'n', offsetof(struct options, dont_fork)},
    {'d', offsetof(struct options, dump_conf)},
    {OPT_JSON, offsetof(struct options, json)},
    {OPT_UPGRADE, offsetof(struct options, upgrade)},
};

/* -1: go on; else the exit code. */
static int take(int option, const char *name, struct options *o)
{
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].option == option) {
			*(const char **)((char *)o + texts[i].at) = optarg;
			return -1;
		}
	for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]); i++)
		if (switches[i].option == option) {
			*(bool *)((char *)o + switches[i].at) = true;
			return -1;
		}
	switch (option) {
	case OPT_ALL:
		o->vrrp = o->check = true;
		return -1;
	case 'S':
		return read_facility(optarg, &o->facility);
	case 'u':
		return read_umask(optarg, &o->umask);
	case 't':
		o->test = true;
		o->test_file = optarg;
		return -1;
	case 'v':
		puts(VERSION);
		return 0;
	case 'h':
		fputs(help, stdout);
		return 0;
	case OPT_KEYWORD:
		return explain_keyword(optarg);
	case OPT_SIGNUM:
		return print_signal(optarg);
	case 'T':
		return refuse("-T (genhash) as other than the first option");
	case '?':
		fputs("Try vipd --help\n", stderr);
		return EXIT_FATAL;
	default:
		fprintf(stderr, "vipd: note: option %s of keepalived has no meaning here\n", name);
		return -1;
	}
}

/* /run/keepalived.pid, /run/keepalived/NAMESPACE/keepalived_INSTANCE.pid, and what lies between. */
static int name_file(const char **file, const char *folder, const char *base, const char *instance)
{
	char *name;

	if (*file)
		return 0;
	if (asprintf(&name, "%s/%s%s%s.pid", folder, base, instance ? "_" : "",
		     instance ? instance : "") < 0)
		return -ENOMEM;
	*file = name;
	return 0;
}

static uint32_t hash(const char *text)
{
	uint32_t h = fnv1a_text(text);

	return h ? h : 1;
}

/* The same however the folder is written, and for a program that takes over. */
static uint32_t hash_of_file(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	char folder[PATH_MAX], *whole = NULL, *real;
	uint32_t h;

	snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path) + 1 : 1,
		 slash ? path : ".");
	real = realpath(folder, NULL);
	h = hash(real && asprintf(&whole, "%s/%s", real, name) > 0 ? whole : path);
	free(real);
	free(whole);
	return h;
}

const char *options_numbered_table(const struct options *o, const char *name,
				   char buf[OPTIONS_TABLE_SIZE])
{
	snprintf(buf, OPTIONS_TABLE_SIZE, "%.22s-%08x", name, o->tables);
	return buf;
}

const char *options_table(const struct options *o, const char *name, char buf[OPTIONS_TABLE_SIZE])
{
	return o->tables ? options_numbered_table(o, name, buf) : name;
}

int options_name_files(struct options *o, const struct options_naming *how)
{
	const char *space = o->name_space ? o->name_space : how->name_space;
	char folder[OPTIONS_NAME_MAX] = "/run";
	int r;

	if (space || how->instance || how->pid_dir) {
		snprintf(folder, sizeof(folder), "/run/keepalived");
		mkdir(folder, 0755); /* whoever opens a file in it says what went wrong */
	}
	if (space) {
		snprintf(folder, sizeof(folder), "/run/keepalived/%s", space);
		mkdir(folder, 0755);
	}
	if (o->pid_file && strcmp(o->pid_file, "/run/keepalived.pid") != 0)
		o->tables = hash_of_file(o->pid_file);
	else if (how->instance)
		o->tables = hash(how->instance);
	r = name_file(&o->pid_file, folder, "keepalived", how->instance);
	if (r >= 0)
		r = name_file(&o->vrrp_pid_file, folder, "vrrp", how->instance);
	if (r >= 0)
		r = name_file(&o->check_pid_file, folder, "checkers", how->instance);
	return r;
}

void options_control_path(const struct options *o, char *buf, size_t cap)
{
	const char *pid_file = o->pid_file ? o->pid_file : "/run/keepalived.pid";
	size_t len = strlen(pid_file);

	len -= len > 4 && !strcmp(pid_file + len - 4, ".pid") ? 4 : 0;
	if (o->control)
		snprintf(buf, cap, "%s", strcmp(o->control, "none") ? o->control : "");
	else
		snprintf(buf, cap, "%.*s.sock", (int)len, pid_file);
}

int options_read(int argc, char **argv, struct options *o)
{
	int option, r, at;

	*o = (struct options){.file = "/etc/keepalived/keepalived.conf", .umask = -1};
	while (at = optind,
	       (option = getopt_long(argc, argv, SHORT_OPTIONS, long_options, NULL)) != -1) {
		r = take(option, argv[at], o);
		if (r >= 0)
			return r;
	}
	if (optind < argc) {
		fprintf(stderr,
			"vipd: \"%s\" is no option: write -f %s to use it as the "
			"configuration\n",
			argv[optind], argv[optind]);
		return EXIT_FATAL;
	}
	if (!o->vrrp && !o->check)
		o->vrrp = o->check = true;
	return -1;
}

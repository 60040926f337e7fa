/* SPDX-License-Identifier: MIT */
#include "cli.h"
#include "version.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <syslog.h>
#include <unistd.h>

#include <libhealth/version.h>
#include <libsched/version.h>

#include "cfg/if.h"
#include "cfg/read.h"
#include "diag_source.h"

static const char help[] =
    "Usage: proxyd -f FILE [-f FILE|FOLDER ...] [options]\n"
    "\n"
    "A load balancer for TCP, TLS and HTTP that reads haproxy.cfg. Begin with:\n"
    "\n"
    "    listen web\n"
    "        mode tcp\n"
    "        bind :8080\n"
    "        timeout connect 3s\n"
    "        timeout client 30s\n"
    "        timeout server 30s\n"
    "        server one 192.0.2.1:80 check\n"
    "        server two 192.0.2.2:80 check\n"
    "\n"
    "    proxyd -c -f web.cfg      # is it right? every error with its line and column\n"
    "    proxyd -db -f web.cfg     # run it in this terminal\n"
    "\n"
    "Configuration\n"
    "  -f PATH     a file, or a folder whose *.cfg are read in order; may be repeated\n"
    "  -c          check only: prints \"Configuration file is valid\" and exits 0, else 1\n"
    "              (2: nothing is wrong, but there is nothing to listen on)\n"
    "  -cc EXPR    is this condition of .if true? exits 0 (yes), 1 (no) or 2 (cannot be read)\n"
    "  --json      checks as -c does, and prints the findings as JSON on stdout\n"
    "  --migrate   prints the files with today's words in place of those that HAProxy removed\n"
    "  -dD         prints the messages of .diag, too\n"
    "  -dW         a warning is an error\n"
    "  -dr         a server whose name does not resolve is no error: it starts disabled\n"
    "  -C DIR      change to DIR before anything is read\n"
    "  -n N        at most N connections, instead of maxconn of the global section\n"
    "  -m N        at most N MiB of memory\n"
    "  --          everything behind it is a file\n"
    "Running\n"
    "  -db         stay in the foreground, whatever the file says; -d the same\n"
    "  -D          go to the background\n"
    "  -Ws         stay in the foreground and tell systemd when it is ready\n"
    "  -W          accepted: a reload (signal HUP or USR2) happens inside this process\n"
    "  -p FILE     write the process id there\n"
    "  -sf PID...  when ready, ask these to finish their connections and go (USR1)\n"
    "  -st PID...  when ready, end these (TERM)\n"
    "  -x SOCKET   take over the listening sockets of the process that has this stats socket, whose line\n"
    "              must say \"expose-fd listeners\"\n"
    "  -S ADDRESS  take commands there (a unix path or fd@N) as on a stats socket of level admin,\n"
    "              and those of a master process: show proc, reload\n"
    "  -L NAME     the name of this node among peers (HAPROXY_LOCALPEER); default: the host's name\n"
    "  -q, -V      say less, say more\n"
    "  -v, -vv     print the version; and what is built in\n"
    "\n"
    "Signals: HUP or USR2 read the files again (a broken file changes nothing), USR1 finishes\n"
    "the open connections and goes, TERM and INT go at once.\n"
    "\n"
    "Manual: proxyd(8). Coming from HAProxy: docs/migration-haproxy.md.\n";

static const char *tag(int level)
{
	return level <= LOG_ERR ? "[ALERT]   " : level == LOG_WARNING ? "[WARNING] " : "[NOTICE]  ";
}

static char said[65536];
static size_t n_said;

const char *cli_said(void)
{
	return said;
}

void cli_say(int level, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fprintf(stderr, "%s (%d) : %s\n", tag(level), (int)getpid(), text);
	if (n_said < sizeof(said))
		n_said += (size_t)snprintf(said + n_said, sizeof(said) - n_said, "%s (%d) : %s\n", tag(level), (int)getpid(), text);
}

void cli_print_diag(const struct diag *d, bool warnings)
{
	static const int level[] = {LOG_NOTICE, LOG_WARNING, LOG_ERR};
	size_t all = d->count[DIAG_NOTICE] + d->count[DIAG_WARNING] + d->count[DIAG_ERROR];
	bool person = isatty(STDERR_FILENO); /* a log has no use for a mark under a word */
	struct diag_source source = {0};
	char line[DIAG_TEXT_MAX + 400];

	for (size_t i = 0; i < d->n; i++) {
		if (d->message[i].level != DIAG_ERROR && !warnings)
			continue;
		diag_format(&d->message[i], line, sizeof(line));
		cli_say(level[d->message[i].level], "config : %s", line);
		if (person)
			diag_source_print(&source, &d->message[i].at, stderr);
	}
	diag_source_fini(&source);
	if (all > d->n)
		cli_say(LOG_NOTICE, "config : ... and %zu more", all - d->n);
}

static void put_json(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		if ((unsigned char)*text < ' ')
			printf("\\u%04x", (unsigned)*text);
		else
			printf(*text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
	}
	putchar('"');
}

void cli_print_json(const struct diag *d)
{
	static const char *const level[] = {"notice", "warning", "error"};

	putchar('[');
	for (size_t i = 0; i < d->n; i++) {
		const struct diag_message *m = &d->message[i];

		printf("%s\n  {\"file\": ", i ? "," : "");
		put_json(m->at.file ? m->at.file : "");
		printf(", \"line\": %u, \"column\": %u, \"level\": \"%s\", \"text\": ", m->at.line,
		       m->at.column, level[m->level]);
		put_json(m->text);
		putchar('}');
	}
	puts(d->n ? "\n]" : "]");
}

/* -cc: 0 true, 1 false, 2 it cannot be read (told). */
static int condition(const char *text)
{
	char expanded[2048], error[256];
	struct diag d = {.n = 0};
	struct lex *lex = NULL;
	struct lex_line line = {.n = 0};
	bool yes = false, ok;
	size_t at, n = 0;

	if (lex_open_text("-cc", text, strlen(text), &cfg_dialect, &d, &lex) < 0)
		return 2;
	*expanded = '\0';
	if (lex_next(lex, &line))
		for (size_t i = 0; i < line.n && n + 1 < sizeof(expanded); i++)
			n += (size_t)snprintf(expanded + n, sizeof(expanded) - n, "%s%s",
					      i ? " " : "", line.word[i].text);
	ok = !d.count[DIAG_ERROR] && n < sizeof(expanded) &&
	     cfg_if_eval(expanded, &yes, error, sizeof(error), &at);
	cli_print_diag(&d, false);
	if (!ok && !d.count[DIAG_ERROR])
		cli_say(LOG_ERR, "config : -cc: this condition cannot be read: %s",
			n < sizeof(expanded) ? error : "it is too long");
	diag_fini(&d);
	lex_free(lex);
	return !ok ? 2 : yes ? 0 : 1;
}

static void print_version(bool all)
{
	struct utsname u;
	bool has;

	/* Scripts look for the words "HAProxy version" and TARGET. */
	printf("Hawser proxyd version %s - reads the configuration of HAProxy\n", PROXYD_VERSION);
	if (!uname(&u))
		printf("Running on: %s %s %s %s\n", u.sysname, u.release, u.version, u.machine);
	if (!all)
		return;
	printf("HAProxy version " CFG_CLAIMED_VERSION
	       " - whose configuration language this program reads\n"
	       "\nBuild options :\n  TARGET  = linux-glibc\n\nFeature list :");
	for (size_t i = 0; *cfg_if_feature(i, &has); i++)
		printf(" %c%s", has ? '+' : '-', cfg_if_feature(i, &has));
	printf("\n\nBuilt with libsched and libhealth.\n"
	       "Available polling systems : epoll\nMultiplexer protocols : h2 (clients), h1, none (TCP)\n");
}

/* The arguments up to the next option. */
static int read_pids(int argc, char **argv, int i, struct cli *c)
{
	for (; i + 1 < argc && argv[i + 1][0] != '-'; i++) {
		char *end;
		long pid = strtol(argv[i + 1], &end, 10);

		if (*end || pid <= 1 || c->n_old == CLI_PIDS_MAX) {
			cli_say(LOG_ERR, "\"%s\" is no process id", argv[i + 1]);
			return -1;
		}
		c->old_pid[c->n_old++] = (pid_t)pid;
	}
	return i;
}

static bool add_path(struct cli *c, const char *path)
{
	if (c->n_paths == CLI_PATHS_MAX) {
		cli_say(LOG_ERR, "too many files: more than %d", CLI_PATHS_MAX);
		return false;
	}
	c->path[c->n_paths++] = path;
	return true;
}

static const struct {
	const char *name;
	size_t offset; /* of a bool in struct cli */
} flags[] = {
    {"-c", offsetof(struct cli, check)},      {"-q", offsetof(struct cli, quiet)},
    {"-V", offsetof(struct cli, verbose)},    {"-dr", offsetof(struct cli, ignore_unresolved)},
    {"-D", offsetof(struct cli, daemon)},     {"-db", offsetof(struct cli, foreground)},
    {"-d", offsetof(struct cli, foreground)}, {"-dD", offsetof(struct cli, diagnose)},
    {"-dW", offsetof(struct cli, zero_warning)},
    {"--json", offsetof(struct cli, json)},   {"--migrate", offsetof(struct cli, migrate)},
};

static bool read_flag(const char *arg, struct cli *c)
{
	/* A master that there is not, and debugging aids that change nothing here. */
	static const char *const ignored[] = {"-W", "-dM", "-dI", "-dS", "-dG", "-dZ", "-dK",
					      "-de", "-dp", "-ds", "-dV", "-dL", "-dF", "-dC", "-dR"};

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (!strcmp(arg, flags[i].name)) {
			*(bool *)((char *)c + flags[i].offset) = true;
			return true;
		}
	if (!strcmp(arg, "-Ws")) {
		c->foreground = c->notify = true;
		return true;
	}
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		if (!strncmp(arg, ignored[i], 3))
			return true;
	return false;
}

/* Options with one value. False: not one of them, or wrong (then said). */
static bool read_value(const char *arg, const char *value, struct cli *c)
{
	if (!strcmp(arg, "-f"))
		return add_path(c, value);
	if (!strcmp(arg, "-p")) {
		c->pidfile = value;
	} else if (!strcmp(arg, "-C")) {
		c->directory = value;
	} else if (!strcmp(arg, "-n")) {
		char *end;
		unsigned long n = strtoul(value, &end, 10);

		if (*end || !n || n > 100000000) {
			cli_say(LOG_ERR, "-n needs a number of connections, not \"%s\"", value);
			return false;
		}
		c->maxconn = (unsigned)n;
	} else if (!strcmp(arg, "-S")) {
		c->master = value;
	} else if (!strcmp(arg, "-x")) {
		c->passing = strcmp(value, "/dev/null") != 0 ? value : NULL; /* that is how scripts say that there is none */
	} else if (!strcmp(arg, "-L")) {
		c->localpeer = value;
	} else if (!strcmp(arg, "-m")) {
		char *end;
		unsigned long n = strtoul(value, &end, 10);

		if (*end || !n || n > 1000000000) {
			cli_say(LOG_ERR, "-m needs a number of MiB, not \"%s\"", value);
			return false;
		}
		c->memory_mb = (unsigned)n;
	}
	return true;
}

/* One option and its values, from *i on. -1: go on; else the exit status. */
static int take(int argc, char **argv, int *i, struct cli *ret)
{
	const char *arg = argv[*i];

	if (!strcmp(arg, "-v") || !strcmp(arg, "-vv") || !strcmp(arg, "--version")) {
		print_version(!strcmp(arg, "-vv"));
		return 0;
	}
	if (!strcmp(arg, "-h") || !strcmp(arg, "--help")) {
		fputs(help, stdout);
		return 0;
	}
	if (!strcmp(arg, "--")) {
		while (++*i < argc)
			if (!add_path(ret, argv[*i]))
				return 1;
		return -1;
	}
	if (!strcmp(arg, "-sf") || !strcmp(arg, "-st")) {
		ret->old_signal = arg[2] == 'f' ? SIGUSR1 : SIGTERM;
		*i = read_pids(argc, argv, *i, ret);
		return *i < 0 ? 1 : -1;
	}
	if (!strcmp(arg, "-cc")) {
		if (++*i < argc)
			return condition(argv[*i]);
		cli_say(LOG_ERR, "-cc needs a condition: proxyd -cc 'defined(HOME)'");
		return 2;
	}
	if (arg[0] == '-' && arg[1] && strchr("fpCnLNmxS", arg[1]) && !arg[2]) {
		if (++*i < argc)
			return read_value(arg, argv[*i], ret) ? -1 : 1;
		cli_say(LOG_ERR, "%s needs a value: proxyd --help", arg);
		return 1;
	}
	if (read_flag(arg, ret))
		return -1;
	cli_say(LOG_ERR, "unknown option \"%s\": proxyd --help lists them", arg);
	return 1;
}

int cli_parse(int argc, char **argv, struct cli *ret)
{
	*ret = (struct cli){0};
	for (int i = 1; i < argc; i++) {
		int status = take(argc, argv, &i, ret);

		if (status >= 0)
			return status;
	}
	if (ret->n_paths)
		return -1;
	cli_say(LOG_ERR,
		"no configuration: write proxyd -f FILE (proxyd --help shows a small one)");
	return 1;
}

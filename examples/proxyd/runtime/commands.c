/* SPDX-License-Identifier: MIT */
#include "runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

/* In the order of the alphabet; of two names that fit the longer one is meant. */
/* clang-format off */
const struct command_info runtime_commands[] = {
    {"_getsocks", CFG_STATS_USER, run_getsocks, "", "pass the listening sockets on to the next process: its option -x asks for them"},
    {"abort ssl ca-file", CFG_STATS_ADMIN, run_abort_ssl_file, "FILE", "forget what was set and not committed of authorities"},
    {"abort ssl cert", CFG_STATS_ADMIN, run_abort_ssl_file, "FILE", "forget what was set and not committed of a certificate"},
    {"abort ssl crl-file", CFG_STATS_ADMIN, run_abort_ssl_file, "FILE", "forget what was set and not committed of revocations"},
    {"add acl", CFG_STATS_OPERATOR, run_add_map, "[@VERSION] FILE PATTERN", "add a pattern; or many, as a payload"},
    {"add map", CFG_STATS_OPERATOR, run_add_map, "[@VERSION] MAP KEY VALUE", "add an entry; or many, as a payload"},
    {"add server", CFG_STATS_ADMIN, run_add_server, "BACKEND/SERVER ADDRESS[:PORT] [PARAMETERS]", "a new server, in maintenance until it is enabled"},
    {"add ssl ca-file", CFG_STATS_ADMIN, run_set_ssl_file, "FILE << PEM", "more authorities for a file, once it is committed"},
    {"add ssl crt-list", CFG_STATS_ADMIN, run_add_ssl_list, "LIST CERTIFICATE, or LIST << LINE", "one more certificate for a crt-list or a folder"},
    {"clear acl", CFG_STATS_OPERATOR, run_clear_map, "[@VERSION] FILE", "remove all its patterns"},
    {"clear counters", CFG_STATS_OPERATOR, run_clear_counters, "[all]", "set highest values back, or all counters"},
    {"clear map", CFG_STATS_OPERATOR, run_clear_map, "[@VERSION] MAP", "remove all its entries"},
    {"clear table", CFG_STATS_OPERATOR, run_clear_table, "TABLE [key KEY|data.NAME OPERATOR VALUE ...]", "remove entries of a stick table"},
    {"commit acl", CFG_STATS_OPERATOR, run_commit_map, "@VERSION FILE", "the entries of this version take the place of all others"},
    {"commit map", CFG_STATS_OPERATOR, run_commit_map, "@VERSION MAP", "the entries of this version take the place of all others"},
    {"commit ssl ca-file", CFG_STATS_ADMIN, run_commit_ssl_file, "FILE", "what was set is used from now on, by all workers"},
    {"commit ssl cert", CFG_STATS_ADMIN, run_commit_ssl_file, "FILE", "what was set is used from now on, by all workers"},
    {"commit ssl crl-file", CFG_STATS_ADMIN, run_commit_ssl_file, "FILE", "what was set is used from now on, by all workers"},
    {"del acl", CFG_STATS_OPERATOR, run_del_map, "FILE PATTERN|#ENTRY", "remove a pattern"},
    {"del map", CFG_STATS_OPERATOR, run_del_map, "MAP KEY|#ENTRY", "remove an entry"},
    {"del server", CFG_STATS_ADMIN, run_del_server, "BACKEND/SERVER", "remove a server in maintenance that has no connections"},
    {"del ssl ca-file", CFG_STATS_ADMIN, run_del_ssl_file, "FILE", "forget authorities that nothing uses"},
    {"del ssl cert", CFG_STATS_ADMIN, run_del_ssl_file, "FILE", "forget a certificate that nothing uses"},
    {"del ssl crl-file", CFG_STATS_ADMIN, run_del_ssl_file, "FILE", "forget revocations that nothing uses"},
    {"del ssl crt-list", CFG_STATS_ADMIN, run_del_ssl_list, "LIST CERTIFICATE[:LINE]", "take a certificate out of a crt-list or a folder"},
    {"disable agent", CFG_STATS_ADMIN, run_agent, "BACKEND/SERVER", "stop asking a server's agent"},
    {"disable dynamic-cookie backend", CFG_STATS_ADMIN, run_dynamic_cookie, "BACKEND", "no longer"},
    {"disable frontend", CFG_STATS_ADMIN, run_disable_frontend, "FRONTEND", "accept nothing for now: clients wait"},
    {"disable health", CFG_STATS_ADMIN, run_disable_health, "BACKEND/SERVER", "stop checking a server; its state stays"},
    {"disable server", CFG_STATS_ADMIN, run_disable_server, "BACKEND/SERVER", "put a server into maintenance"},
    {"enable agent", CFG_STATS_ADMIN, run_agent, "BACKEND/SERVER", "ask a server's agent again"},
    {"enable dynamic-cookie backend", CFG_STATS_ADMIN, run_dynamic_cookie, "BACKEND", "servers without a cookie have one made of their address"},
    {"enable frontend", CFG_STATS_ADMIN, run_enable_frontend, "FRONTEND", "accept again"},
    {"enable health", CFG_STATS_ADMIN, run_enable_health, "BACKEND/SERVER", "check a server again"},
    {"enable server", CFG_STATS_ADMIN, run_enable_server, "BACKEND/SERVER", "take a server out of maintenance"},
    {"experimental-mode", CFG_STATS_ADMIN, run_mode, "[on|off]", "nothing is hidden here: for scripts that send it"},
    {"expert-mode", CFG_STATS_ADMIN, run_mode, "[on|off]", "nothing is hidden here: for scripts that send it"},
    {"get acl", CFG_STATS_USER, run_get_map, "FILE PATTERN", "is this pattern there?"},
    {"get map", CFG_STATS_USER, run_get_map, "MAP KEY", "the value of a key"},
    {"get var", CFG_STATS_OPERATOR, run_get_proc_var, "proc.NAME", "a variable of the process"},
    {"get weight", CFG_STATS_USER, run_get_weight, "BACKEND/SERVER", "a server's weight, and the one of the file"},
    {"help", CFG_STATS_USER, run_help, "[COMMAND]", "this list, or the part that begins with COMMAND"},
    {"new ssl ca-file", CFG_STATS_ADMIN, run_new_ssl_file, "FILE", "room for authorities that no line of the configuration names"},
    {"new ssl cert", CFG_STATS_ADMIN, run_new_ssl_file, "FILE", "room for a certificate that no line of the configuration names"},
    {"new ssl crl-file", CFG_STATS_ADMIN, run_new_ssl_file, "FILE", "room for revocations that no line of the configuration names"},
    {"operator", CFG_STATS_OPERATOR, run_level, "", "give up rights: only what an operator may"},
    {"prepare acl", CFG_STATS_OPERATOR, run_prepare_map, "FILE", "a new version, to be filled beside the one in use"},
    {"prepare map", CFG_STATS_OPERATOR, run_prepare_map, "MAP", "a new version, to be filled beside the one in use"},
    {"prompt", CFG_STATS_USER, run_prompt, "[n|i|p] [timed]", "stay, and print a prompt after each answer; i: without it, n: neither"},
    {"quit", CFG_STATS_USER, run_quit, "", "close this connection"},
    {"reload", CFG_STATS_ADMIN, run_reload, "", "read the configuration again, as SIGUSR2 does"},
    {"set dynamic-cookie-key backend", CFG_STATS_ADMIN, run_set_cookie_key, "BACKEND KEY", "what dynamic cookies are made with"},
    {"set map", CFG_STATS_OPERATOR, run_set_map, "MAP KEY|#ENTRY VALUE", "change a value"},
    {"set maxconn frontend", CFG_STATS_ADMIN, run_set_maxconn_frontend, "FRONTEND NUMBER", "change its limit of connections"},
    {"set maxconn global", CFG_STATS_ADMIN, run_set_maxconn_global, "NUMBER", "change the limit of the process; 0: as configured"},
    {"set maxconn server", CFG_STATS_ADMIN, run_set_maxconn_server, "BACKEND/SERVER NUMBER", "change its limit of connections"},
    {"set rate-limit", CFG_STATS_ADMIN, run_set_rate_limit, "connections|sessions|ssl-sessions|http-compression global NUMBER", "of a second (http-compression: KiB); 0: any number"},
    {"set server", CFG_STATS_ADMIN, run_set_server, "BACKEND/SERVER state|weight|health|maxconn|addr|agent|check-port ...", "change a server"},
    {"set severity-output", CFG_STATS_USER, run_set_severity, "none|number|string", "whether messages begin with how serious they are"},
    {"set ssl ca-file", CFG_STATS_ADMIN, run_set_ssl_file, "FILE << PEM", "replace authorities, once it is committed"},
    {"set ssl cert", CFG_STATS_ADMIN, run_set_ssl_file, "FILE << PEM", "replace a certificate, once it is committed"},
    {"set ssl crl-file", CFG_STATS_ADMIN, run_set_ssl_file, "FILE << PEM", "replace revocations, once it is committed"},
    {"set ssl ocsp-response", CFG_STATS_ADMIN, run_set_ssl_ocsp, "BASE64, or << BASE64", "staple this OCSP answer to its certificate"},
    {"set ssl tls-key", CFG_STATS_ADMIN, run_set_tls_key, "FILE|#ID BASE64", "one more ticket key, and the oldest goes"},
    {"set table", CFG_STATS_OPERATOR, run_set_table, "TABLE key KEY [data.NAME VALUE ...]", "make or change an entry"},
    {"set timeout cli", CFG_STATS_USER, run_set_timeout, "SECONDS", "how long this connection may be idle"},
    {"set var", CFG_STATS_ADMIN, run_set_proc_var, "proc.NAME EXPRESSION|fmt TEXT", "give it another value"},
    {"set weight", CFG_STATS_ADMIN, run_set_weight, "BACKEND/SERVER N|N%", "change a server's weight"},
    {"show acl", CFG_STATS_USER, run_show_map, "[[@VERSION] FILE|#ID]", "pattern files, or the patterns of one"},
    {"show activity", CFG_STATS_OPERATOR, run_show_activity, "", "what each thread has done"},
    {"show backend", CFG_STATS_USER, run_show_backend, "", "names of backends"},
    {"show cli level", CFG_STATS_USER, run_show_level, "", "what this connection may do"},
    {"show cli sockets", CFG_STATS_OPERATOR, run_show_sockets, "", "where commands are taken"},
    {"show env", CFG_STATS_OPERATOR, run_show_env, "[NAME]", "the environment of the process"},
    {"show errors", CFG_STATS_OPERATOR, run_show_errors, "[PROXY] [request|response]", "the last refused message of each proxy"},
    {"show events", CFG_STATS_OPERATOR, run_show_events, "[RING [-w] [-n]]", "rings, or the log lines in one; -w: wait for more, -n: new ones only"},
    {"show fd", CFG_STATS_OPERATOR, run_show_fd, "[NUMBER]", "open descriptors, or one"},
    {"show info", CFG_STATS_USER, run_show_info, "[typed|json] [float] [desc]", "the process"},
    {"show libs", CFG_STATS_OPERATOR, run_show_libs, "", "program and libraries, and where they lie in memory"},
    {"show map", CFG_STATS_USER, run_show_map, "[[@VERSION] MAP|#ID]", "maps, or the entries of one"},
    {"show peers", CFG_STATS_OPERATOR, run_show_peers, "[SECTION]", "with whom tables are shared"},
    {"show pools", CFG_STATS_OPERATOR, run_show_pools, "", "memory"},
    {"show proc", CFG_STATS_OPERATOR, run_show_proc, "", "processes, as a master's socket tells them"},
    {"show resolvers", CFG_STATS_USER, run_show_resolvers, "[SECTION]", "what nameservers said"},
    {"show schema json", CFG_STATS_USER, run_show_schema, "", "what the JSON of show info and show stat is made of"},
    {"show servers conn", CFG_STATS_OPERATOR, run_show_servers_conn, "[BACKEND]", "connections of servers"},
    {"show servers state", CFG_STATS_OPERATOR, run_show_servers_state, "[BACKEND]", "state of servers, as a state file has it"},
    {"show sess", CFG_STATS_OPERATOR, run_show_sess, "[ID|all]", "sessions, or all of one"},
    {"show ssl ca-file", CFG_STATS_OPERATOR, run_show_ssl_file, "[[*]FILE[:NUMBER]]", "authorities in memory, or all about one file; *: of the transaction"},
    {"show ssl cert", CFG_STATS_OPERATOR, run_show_ssl_file, "[[*]FILE]", "certificates in memory, or all about one; *: of the transaction"},
    {"show ssl crl-file", CFG_STATS_OPERATOR, run_show_ssl_file, "[[*]FILE[:NUMBER]]", "revocations in memory, or all about one file; *: of the transaction"},
    {"show ssl crt-list", CFG_STATS_OPERATOR, run_show_ssl_list, "[-n] [LIST]", "crt-lists and folders, or the lines of one, with their numbers"},
    {"show ssl ocsp-response", CFG_STATS_OPERATOR, run_show_ssl_ocsp, "[ID]", "OCSP answers that are stapled, or one"},
    {"show ssl providers", CFG_STATS_OPERATOR, run_show_ssl_providers, "", "providers of OpenSSL that are loaded"},
    {"show startup-logs", CFG_STATS_OPERATOR, run_show_startup_logs, "", "what was said about the configuration at the start"},
    {"show stat", CFG_STATS_USER, run_show_stat, "[PROXY TYPE SERVER] [typed|json] [up|no-maint] [desc]", "counters, as CSV"},
    {"show table", CFG_STATS_USER, run_show_table, "[TABLE [key KEY|data.NAME OPERATOR VALUE ...]]", "stick tables, or the entries of one"},
    {"show threads", CFG_STATS_OPERATOR, run_show_threads, "", "worker threads"},
    {"show tls-keys", CFG_STATS_ADMIN, run_show_tls_keys, "[FILE|#ID|*]", "files of ticket keys, or the keys of one or all"},
    {"show version", CFG_STATS_USER, run_show_version, "", "version"},
    {"shutdown frontend", CFG_STATS_ADMIN, run_shutdown_frontend, "FRONTEND", "close its listening sockets for good"},
    {"shutdown session", CFG_STATS_ADMIN, run_shutdown_session, "ID", "end a session"},
    {"shutdown sessions server", CFG_STATS_ADMIN, run_shutdown_sessions, "BACKEND/SERVER", "end all sessions of a server"},
    {"user", CFG_STATS_USER, run_level, "", "give up rights: only look"},
    {"wait", CFG_STATS_USER, run_wait, "TIME [srv-removable BACKEND/SERVER]", "go on after this time, or when del server would take the server"},
    {NULL, CFG_STATS_USER, NULL, NULL, NULL},
};
/* clang-format on */

/* How many words of the line are the name; 0: it is another one. */
static size_t name_length(const char *name, const struct line_command *line)
{
	size_t n = 0;

	while (*name) {
		size_t len = strcspn(name, " ");

		if (n == line->n || strlen(line->word[n]) != len || strncmp(line->word[n], name, len) != 0)
			return 0;
		n++;
		name += len + (name[len] == ' ');
	}
	return n;
}

/* Does the name begin with the words, as far as both go? */
static bool begins_with(const char *name, const char *const *word, size_t n)
{
	for (size_t i = 0; i < n && *name; i++) {
		size_t len = strcspn(name, " "), have = strlen(word[i]);

		if (have > len || strncmp(name, word[i], have) != 0)
			return false;
		name += len + (name[len] == ' ');
	}
	return true;
}

static void list(struct call *c, const char *const *word, size_t n)
{
	bool any = false;

	for (const struct command_info *i = runtime_commands; i->name; i++)
		any |= i->level <= c->level && begins_with(i->name, word, n);
	call_note(c, LOG_INFO, "%s", any ? "Commands that are yours here:\n" : "No such command; \"help\" lists them:\n");
	for (const struct command_info *i = runtime_commands; i->name; i++) {
		char left[128];

		if (i->level > c->level || (any && !begins_with(i->name, word, n)))
			continue;
		snprintf(left, sizeof(left), "%s %s", i->name, i->usage);
		out_printf(c->out, "  %-58s %s\n", left, i->help);
	}
}

void run_help(struct call *c)
{
	list(c, c->word, c->n);
}

/* "@1 show info" of a master's socket. False: another process is meant, and that was said. */
static bool take_target(struct call *c, struct line_command *line)
{
	char *word = line->word[0], *end = word + strlen(word);

	if (!runtime_is_master(c->conn) || *word != '@')
		return true;
	if (strcmp(word, "@master") != 0 && strcmp(word, "@1") != 0 &&
	    (word[1] != '!' || strtol(word + 2, &end, 10) != getpid() || *end)) {
		call_say(c, "Can't find the target PID matching the prefix '%s'\n", word);
		return false;
	}
	line->n--;
	memmove(line->word, line->word + 1, line->n * sizeof(line->word[0]));
	return true;
}

void runtime_run(struct call *c, struct line_command *line)
{
	const struct command_info *found = NULL;
	size_t words = 0;

	if (!line->n) {
		list(c, NULL, 0);
		return;
	}
	if (line->n > LINE_WORDS_MAX) {
		call_say(c, "More than %d words.\n", LINE_WORDS_MAX);
		return;
	}
	if (!take_target(c, line) || !line->n)
		return;
	for (const struct command_info *i = runtime_commands; i->name; i++) {
		size_t n = name_length(i->name, line);

		if (n > words) {
			words = n;
			found = i;
		}
	}
	if (!found && runtime_absent(c, line))
		return;
	if (!found) {
		call_note(c, LOG_INFO, "Unknown command: '%s'.\n", line->word[0]);
		list(c, (const char *const *)line->word, line->n < 2 ? line->n : 1);
		return;
	}
	if (found->level > c->level) {
		call_say(c, "Permission denied: \"%s\" needs level %s, this socket has %s.\n", found->name,
			 runtime_level_name(found->level), runtime_level_name(c->level));
		return;
	}
	if (c->payload && !*c->payload) /* an empty one is none */
		c->payload = NULL;
	c->word = (const char *const *)line->word + words;
	c->n = line->n - words;
	found->fn(c);
}

/* ---- Of the connection itself ---- */

/*
 * Without a word it is turned over; HAProxy 3.2's: n neither, i stays after a line, p with a prompt as well; timed: which tells
 * how long the process runs, or no more.
 */
void run_prompt(struct call *c)
{
	bool timed = runtime_is_timed(c->conn);
	char mode = 0;

	for (size_t i = 0; i < c->n; i++) {
		const char *word = c->word[i];

		if (!strcmp(word, "timed")) {
			timed = !timed;
		} else if (*word && !word[1] && strchr("nip", *word)) {
			mode = *word;
		} else {
			call_say(c, "Write prompt, or prompt n, i or p: nothing, go on after a line, or with a prompt; timed: with the "
				    "time the process runs.\n");
			return;
		}
	}
	runtime_set_timed(c->conn, timed);
	runtime_set_prompt(c->conn, mode ? mode == 'p' : c->n || !runtime_has_prompt(c->conn));
	if (mode == 'i')
		runtime_set_interactive(c->conn, true);
}

void run_set_severity(struct call *c)
{
	for (unsigned k = 0; cfg_severity_words[k]; k++)
		if (!strcmp(call_word(c, 0), cfg_severity_words[k])) {
			runtime_set_severity(c->conn, (enum cfg_severity)k);
			return;
		}
	call_say(c, "one of 'none', 'number', 'string' is a required argument\n");
}

/* "experimental-mode on; add server ..." is what scripts send to HAProxy 2.4: nothing is hidden here. */
void run_mode(struct call *c)
{
	if (!c->n)
		call_note(c, LOG_INFO, "%s is ON\n", c->word[-1]);
}

void run_show_startup_logs(struct call *c)
{
	out_text(c->out, runtime_startup_logs(c));
}

void run_quit(struct call *c)
{
	runtime_quit(c->conn);
}

void run_level(struct call *c)
{
	bool user = !strcmp(c->word[-1], "user");

	runtime_set_level(c->conn, user ? CFG_STATS_USER : CFG_STATS_OPERATOR);
}

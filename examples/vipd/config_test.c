/* SPDX-License-Identifier: MIT */
#include "config_test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "conf/conf.h"
#include "diag_source.h"

static int test_code(const struct diag *d, bool insecure, const struct conf *c)
{
	if (d->count[DIAG_ERROR])
		return EXIT_TEST_CANNOT_RUN;
	if (insecure && !c->globals.script_security)
		return EXIT_TEST_SCRIPTS;
	return d->count[DIAG_WARNING] ? EXIT_TEST_ERRORS : 0;
}

static const char *test_verdict(int code)
{
	switch (code) {
	case 0:
		return "runs";
	case EXIT_TEST_ERRORS:
		return "runs, but not all of it: see the warnings";
	case EXIT_TEST_SCRIPTS:
		return "runs, but others than root may change its scripts";
	default:
		return "cannot run: see the errors";
	}
}

static size_t all_findings(const struct diag *d)
{
	return d->count[DIAG_NOTICE] + d->count[DIAG_WARNING] + d->count[DIAG_ERROR];
}

static void print_text(const struct options *o, const struct diag *d, int code, FILE *to)
{
	struct diag_source source = {0};
	char line[DIAG_TEXT_MAX + 384];

	for (size_t i = 0; i < d->n; i++) {
		diag_format(&d->message[i], line, sizeof(line));
		fprintf(to, "%s\n", line);
		diag_source_print(&source, &d->message[i].at, to);
	}
	if (all_findings(d) > d->n)
		fprintf(to, "... and %zu more\n", all_findings(d) - d->n);
	fprintf(to, "%s: %s\n", o->file, test_verdict(code));
	diag_source_fini(&source);
}

/* What is not UTF-8 is left out: JSON has no way to say it. */
static json_t *text_json(const char *text)
{
	json_t *j = text ? json_string(text) : NULL;

	return j ? j : json_null();
}

static json_t *finding_json(const struct diag_message *m)
{
	static const char *const level[] = {"notice", "warning", "error"};
	json_t *j = json_object();

	json_object_set_new(j, "level", json_string(level[m->level]));
	json_object_set_new(j, "file", text_json(m->at.file));
	json_object_set_new(j, "line", m->at.line ? json_integer(m->at.line) : json_null());
	json_object_set_new(j, "column", m->at.column ? json_integer(m->at.column) : json_null());
	json_object_set_new(j, "message", text_json(m->text));
	return j;
}

static void print_json(const struct options *o, const struct diag *d, int code, FILE *to)
{
	json_t *all = json_object(), *list = json_array();

	for (size_t i = 0; i < d->n; i++)
		json_array_append_new(list, finding_json(&d->message[i]));
	json_object_set_new(all, "file", text_json(o->file));
	json_object_set_new(all, "exit_code", json_integer(code));
	json_object_set_new(all, "verdict", json_string(test_verdict(code)));
	json_object_set_new(all, "findings", list);
	json_object_set_new(all, "more", json_integer((json_int_t)(all_findings(d) - d->n)));
	json_dumpf(all, to, JSON_INDENT(2));
	fputc('\n', to);
	json_decref(all);
}

/* Findings that nobody can read are no test. */
static bool is_written(FILE *to)
{
	errno = 0;
	return !fflush(to) && !ferror(to);
}

int config_test(const struct options *o)
{
	const struct conf_source source = {.file = o->file, .config_id = o->config_id};
	const char *name = o->test_file ? o->test_file : o->json ? "stdout" : "stderr";
	FILE *to = o->json ? stdout : stderr;
	struct diag d = {0};
	struct conf *c = NULL;
	bool insecure = false;
	int code;

	if (o->test_file)
		to = fopen(o->test_file, "we");
	if (!to) {
		fprintf(stderr, "vipd: cannot write to \"%s\": %s\n", name, strerror(errno));
		return EXIT_FATAL;
	}
	if (!conf_load(&source, &d, &c)) {
		if (conf_is_empty(c))
			diag_add(&d, DIAG_WARNING, NULL, CONF_EMPTY_TEXT);
		insecure = conf_scripts_insecure(c, &d);
		if (!o->name_space && !c->globals.name_space)
			conf_note_interfaces(c, &d);
	}
	code = c ? test_code(&d, insecure, c) : EXIT_NO_MEMORY;
	diag_sort(&d);
	(o->json ? print_json : print_text)(o, &d, code, to);
	diag_fini(&d);
	conf_free(c);
	if (!is_written(to)) {
		fprintf(stderr, "vipd: cannot write to \"%s\": %s\n", name, strerror(errno ? errno : EIO));
		code = EXIT_FATAL;
	}
	if (o->test_file)
		fclose(to);
	return code;
}

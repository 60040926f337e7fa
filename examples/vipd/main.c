/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "conf.h"
#include "options.h"
#include "supervisor.h"

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

static int config_test(const struct options *o)
{
	const struct conf_source source = {.file = o->file, .config_id = o->config_id};
	FILE *to = o->test_file ? fopen(o->test_file, "we") : stderr;
	struct diag d = {0};
	struct conf *c = NULL;
	bool insecure = false;
	int code;

	if (!to) {
		fprintf(stderr, "vipd: cannot write to \"%s\": %s\n", o->test_file,
			strerror(errno));
		return EXIT_FATAL;
	}
	if (!conf_load(&source, &d, &c))
		insecure = conf_scripts_insecure(c, &d);
	code = c ? test_code(&d, insecure, c) : EXIT_NO_MEMORY;
	diag_print(&d, to);
	fprintf(to, "%s: %s\n", o->file, test_verdict(code));
	diag_fini(&d);
	conf_free(c);
	if (to != stderr && fclose(to))
		fprintf(stderr, "vipd: cannot write to \"%s\": %s\n", o->test_file,
			strerror(errno));
	return code;
}

int main(int argc, char **argv)
{
	struct options o;
	int r = options_read(argc, argv, &o);

	if (r >= 0)
		return r;
	return o.test ? config_test(&o) : supervisor_run(&o, argc, argv);
}

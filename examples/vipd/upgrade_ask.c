/* SPDX-License-Identifier: MIT */
/* vipd --upgrade: a client of the running vipd's control socket. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "config_test.h"
#include "upgrade.h"

static int fail(const char *what, const char *more)
{
	fprintf(stderr, "vipd: --upgrade: %s%s%s\n", what, *more ? ": " : "", more);
	return EXIT_FATAL;
}

static FILE *talk_to(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(to.sun_path)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	strcpy(to.sun_path, path);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0)
		return NULL;
	return fdopen(fd, "r"); /* written to by its descriptor */
}

/* The answer's result or NULL, said. Steals `params`. */
static json_t *call(FILE *f, const char *method, json_t *params)
{
	json_t *request = json_pack("{s:s, s:o}", "method", method, "params", params), *answer,
	       *result;
	const char *text;

	if (!request || json_dumpfd(request, fileno(f), JSON_COMPACT) < 0 ||
	    write(fileno(f), "\n", 1) != 1) {
		json_decref(request);
		fail("the running vipd does not listen", "");
		return NULL;
	}
	json_decref(request);
	answer = json_loadf(f, JSON_DISABLE_EOF_CHECK, NULL);
	result = json_incref(json_object_get(answer, "result"));
	text = json_string_value(json_object_get(json_object_get(answer, "error"), "message"));
	if (!result)
		fail(text ? text : "the running vipd does not answer", "");
	json_decref(answer);
	return result;
}

/* Would this program run the file? If not, nothing happens. */
static bool can_run(const struct options *o, const char *file)
{
	struct options test = *o;
	int code;

	test.file = file;
	code = file ? config_test(&test) : EXIT_TEST_CANNOT_RUN;
	if (code != EXIT_TEST_CANNOT_RUN && code != EXIT_NO_MEMORY)
		return true;
	fail("this program cannot run it, so the old one goes on", file ? file : "");
	return false;
}

int upgrade_ask(const struct options *o)
{
	char program[PATH_MAX] = "", path[PATH_MAX];
	json_t *status, *done = NULL;
	FILE *f;

	options_control_path(o, path, sizeof(path));
	if (readlink("/proc/self/exe", program, sizeof(program) - 1) < 0)
		return fail("/proc/self/exe", strerror(errno));
	f = talk_to(path);
	if (!f) {
		fprintf(stderr,
			"vipd: --upgrade: cannot connect to %s: %s. Give the -p or --control of "
			"the running vipd, too\n",
			path, strerror(errno));
		return EXIT_FATAL;
	}
	status = call(f, "status", json_object());
	if (status && can_run(o, json_string_value(json_object_get(status, "file"))))
		done = call(f, "upgrade", json_pack("{s:s}", "program", program));
	if (done)
		printf("%s takes over from version %s\n", program,
		       json_string_value(json_object_get(status, "version")));
	json_decref(status);
	json_decref(done);
	fclose(f);
	return done ? 0 : EXIT_FATAL;
}

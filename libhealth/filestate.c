/* SPDX-License-Identifier: MIT */
#include "filestate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent.h"
#include "base/mem.h"
#include "base/sized.h"
#include "dialogue.h"
#include "line.h"

#define FAULT (-254) /* keepalived: a weight from here down is a fault */

static int file_setup(const void *opts, void **ret_config)
{
	struct health_file_opts o;
	struct filestate *f;
	size_t len;
	int r = sized_in(&o, sizeof(o), opts);

	if (r < 0)
		return r;
	len = o.path ? strnlen(o.path, HEALTH_FILE_PATH_MAX + 1) : 0;
	if (!len || len > HEALTH_FILE_PATH_MAX)
		return -EINVAL;
	f = mem_zalloc(sizeof(*f) + len + 1);
	if (!f)
		return -ENOMEM;
	f->weight = o.weight;
	f->missing_ok = o.missing_ok;
	memcpy(f->path, o.path, len);
	*ret_config = f;
	return 0;
}

static void file_teardown(void *config)
{
	mem_free(config);
}

static void judge_number(const struct filestate *f, int64_t n, struct health_probe_io *ret)
{
	int64_t weight = n * f->weight;
	bool fails = f->weight ? weight <= FAULT : n != 0;

	if (f->weight && !fails)
		ret->advice = (struct health_advice){
		    .weight_kind = HEALTH_WEIGHT_OFFSET,
		    .weight = (int32_t)(weight < INT32_MAX ? weight : INT32_MAX),
		};
	answer_set(ret, fails ? HEALTH_FAIL : HEALTH_OK,
		   fails ? HEALTH_CODE_L7STS : HEALTH_CODE_L7OK, "");
	snprintf(ret->text, sizeof(ret->text), "%lld", (long long)n);
}

/* An optional sign and one to nine digits, alone. */
static bool read_number(struct reader r, int64_t *ret)
{
	bool minus = reader_left(&r) && *r.at == '-';
	int64_t n = 0;

	if (minus)
		read_u8(&r);
	if (!reader_left(&r) || reader_left(&r) > 9)
		return false;
	while (reader_left(&r)) {
		uint8_t c = read_u8(&r);

		if (!is_digit(c))
			return false;
		n = n * 10 + (c - '0');
	}
	*ret = minus ? -n : n;
	return true;
}

static struct reader trimmed(struct reader r)
{
	while (reader_left(&r) && (*r.at == ' ' || *r.at == '\t'))
		r.at++;
	while (reader_left(&r) && (r.end[-1] == ' ' || r.end[-1] == '\t' || r.end[-1] == '\r'))
		r.end--;
	return r;
}

void filestate_judge(const struct filestate *f, const void *data, size_t len,
		     struct health_probe_io *ret)
{
	struct reader line = reader_of(data, len);
	const uint8_t *end = len ? memchr(data, '\n', len) : NULL;
	char text[HEALTH_AGENT_LINE_MAX + 1];
	int64_t n;

	*ret = (struct health_probe_io){0};
	if (end)
		line.end = end;
	line = trimmed(line);
	if (!reader_left(&line)) {
		judge_number(f, 0, ret); /* touched, and nothing written: keepalived takes a 0 */
	} else if (read_number(line, &n)) {
		judge_number(f, n, ret);
	} else {
		line_excerpt(&line, text, sizeof(text));
		agent_judge(text, ret);
		if (ret->code == HEALTH_CODE_L7RSP)
			ret->verdict = HEALTH_FAIL;
	}
	answer_clean(ret);
}

void filestate_judge_missing(const struct filestate *f, int error, struct health_probe_io *ret)
{
	*ret = (struct health_probe_io){0};
	if (error == ENOENT && f->missing_ok)
		answer_set(ret, HEALTH_OK, HEALTH_CODE_L7OK, "no file");
	else
		answer_set(ret, HEALTH_FAIL, HEALTH_CODE_L4CON,
			   error == ENOENT ? "no file" : "unreadable");
}

const struct health_probe_ops *health_probe_file(void)
{
	static const struct health_probe_ops ops = {
	    .size = sizeof(ops),
	    .name = "file",
	    .flags = PROBE_FILE,
	    .setup = file_setup,
	    .teardown = file_teardown,
	};

	return &ops;
}

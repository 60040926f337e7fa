/* SPDX-License-Identifier: MIT */
/*
 * Formats and expressions on hostile bytes: the first line of the input is a format, the rest is what the client
 * and the server have sent. What is written stays in the scratch; what may change yet says so only while it may;
 * a TLS hello that is whole in its first bytes is the same with more behind it.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/http/h1.h"
#include "rules/capture.h"
#include "rules/format.h"
#include "rules/map.h"
#include "rules/tls_hello.h"
#include "rules/track.h"
#include "rules/vars.h"

#define ROOM 4096u
#define BLOCKS_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct memory {
	void *block[BLOCKS_MAX];
	size_t n_blocks;
	struct {
		void (*fn)(void *object);
		void *object;
	} end[64];
	size_t n_ends;
};

static void *take(void *owner, size_t size)
{
	struct memory *m = owner;

	return m->n_blocks < BLOCKS_MAX ? m->block[m->n_blocks++] = calloc(1, size ? size : 1)
					: NULL;
}

static bool on_free(void *owner, void (*fn)(void *object), void *object)
{
	struct memory *m = owner;

	if (m->n_ends == 64) {
		fn(object);
		return false;
	}
	m->end[m->n_ends].fn = fn;
	m->end[m->n_ends++].object = object;
	return true;
}

static bool no_file(void *userdata, const char *path,
		    bool (*add)(void *to, const char *line, struct rule_error *e), void *to,
		    struct rule_error *e)
{
	return add(to, "key value", e) && add(to, "/a \\1", e) && add(to, "10.0.0.0/8 1", e);
}

static void hellos_do_not_change(struct text bytes)
{
	struct tls_hello part, whole;

	for (size_t n = 0; n < bytes.len && n < 512; n++)
		if (tls_hello_read(text_of(bytes.at, n), 1, &part) == TLS_HELLO_WHOLE) {
			assert(tls_hello_read(bytes, 1, &whole) == TLS_HELLO_WHOLE);
			assert(part.server_name.len == whole.server_name.len);
			assert(part.version == whole.version);
			return;
		}
}

static void evaluate(const struct format *f, struct text rest, const struct rule_shared *shared,
		     struct vars *vars, bool ended)
{
	static char scratch[RUN_SCRATCH];
	static struct capture_slots slots = {.n = {2, 2},
					     .slot = {{{16, NULL}, {3, NULL}}, {{1, NULL}}}};
	struct captures captures = {.cookie = {NULL}};
	struct track track[TRACK_MAX] = {{.table = NULL}};
	char *base = malloc(ROOM + rest.len), *copy = malloc(rest.len + 1);
	struct http_msg request;
	struct text out;
	struct run r = {
	    .vars = vars,
	    .track = track,
	    .captures = &captures,
	    .slots = &slots,
	    .request_line = text_of("GET /x HTTP/1.1", 15),
	    .ended = ended,
	    .now_ns = 1000000000,
	    .scratch = {scratch, 0, sizeof(scratch)},
	};

	assert(base && copy);
	memcpy(base + ROOM, rest.at, rest.len);
	memcpy(copy, rest.at, rest.len);
	h1_begin(&request, base, 0, ROOM);
	if (h1_request(&request, ROOM, (uint32_t)rest.len) > 0)
		r.request = &request;
	r.payload[0] = r.payload[1] = text_of(copy, rest.len);
	text_to_ip(text_of("10.1.2.3", 8), &r.source.address);
	if (format_write(f, &r, &out) && !format_is_constant(f)) {
		assert(out.at >= scratch && out.at + out.len <= scratch + sizeof(scratch));
		assert(!ended || !r.may_change);
	}
	track_end(track, false);
	captures_clear(&captures);
	free(base);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *line_end = size ? memchr(data, '\n', size) : NULL;
	struct memory memory = {.n_blocks = 0};
	struct var_names names = {.n = 0};
	struct rule_shared shared = {.read_file = no_file};
	struct rule_memory m = {take, on_free, &memory, &names, &shared, "fe", NULL};
	struct vars vars = {.n = 0};
	struct rule_error e;
	struct format f;
	char *text;

	if (!line_end || size > 20000)
		return 0;
	text = strndup((const char *)data, (size_t)(line_end - data));
	assert(text);
	if (format_parse(text, &m, &f, &e)) {
		struct text rest =
		    text_of((const char *)line_end + 1, size - (size_t)(line_end + 1 - data));

		f.is_log = size & 1;
		evaluate(&f, rest, &shared, &vars, false);
		evaluate(&f, rest, &shared, &vars, true);
		hellos_do_not_change(rest);
	}
	vars_clear(&vars);
	maps_free(&shared);
	while (memory.n_ends--)
		memory.end[memory.n_ends].fn(memory.end[memory.n_ends].object);
	while (memory.n_blocks--)
		free(memory.block[memory.n_blocks]);
	free(text);
	return 0;
}

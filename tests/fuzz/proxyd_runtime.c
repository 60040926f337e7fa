/* SPDX-License-Identifier: MIT */
/* A command line and a query of any bytes: words lie in the line, limits hold, nothing is read behind its end. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/line.h"
#include "stats/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_line(char *line, size_t size)
{
	char *rest = line;
	struct line_command c;
	char end[LINE_PATTERN_MAX + 1];
	size_t commands = 0;

	line_has_payload(line, end);
	while (line_next(&rest, &c)) {
		assert(++commands <= size + 1);
		assert(c.n <= LINE_WORDS_MAX + 1);
		for (size_t i = 0; i < c.n && i < LINE_WORDS_MAX; i++) {
			assert(c.word[i] >= line && c.word[i] + strlen(c.word[i]) <= line + size);
			assert(*c.word[i]);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct page_query q;

	if (!text)
		return 0;
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	page_read_query(text, &q);
	assert(strlen(q.scope) < sizeof(q.scope) && !strpbrk(q.scope, "<>\"'&"));
	assert(strlen(q.message) < sizeof(q.message) && !strpbrk(q.message, "<>\"'&"));
	read_line(text, size);
	free(text);
	return 0;
}

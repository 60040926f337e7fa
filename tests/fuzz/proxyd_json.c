/* SPDX-License-Identifier: MIT */
/* json_query on hostile bytes: the first line is the path, the rest the JSON. What is found lies within it. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rules/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *line_end = size ? memchr(data, '\n', size) : NULL;
	size_t path_len = line_end ? (size_t)(line_end - data) : size;
	size_t len = line_end ? size - path_len - 1 : 0;
	char *json = malloc(len + 1), room[4096]; /* a copy: the sanitizer sees each byte behind it */
	struct text value;

	if (!json)
		return 0;
	memcpy(json, data + size - len, len);
	if (json_find(text_of(json, len), text_of((const char *)data, path_len), &value)) {
		struct scratch scratch = {room, 0, sizeof(room)};
		struct sample s;

		assert(value.at >= json && value.len && value.at + value.len <= json + len);
		if (json_value(value, size & 1, &scratch, &s))
			assert(s.type == SAMPLE_BOOL || s.type == SAMPLE_INT || s.text.len <= value.len + 64);
	}
	free(json);
	return 0;
}

/* SPDX-License-Identifier: MIT */
#include "errorfile.h"

#include <string.h>

bool errorfile_is_answer(const char *raw, size_t len)
{
	return len >= 13 && !memcmp(raw, "HTTP/1.", 7) && raw[8] == ' ' && raw[9] >= '1' && raw[9] <= '5' &&
	       raw[10] >= '0' && raw[10] <= '9' && raw[11] >= '0' && raw[11] <= '9';
}

size_t errorfile_copy(char *out, const char *raw, size_t len)
{
	bool head = true;
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		bool line_end = raw[i] == '\n';

		if (head && line_end && (!i || raw[i - 1] != '\r'))
			out[n++] = '\r';
		out[n++] = raw[i];
		if (head && line_end && n >= 4 && !memcmp(out + n - 4, "\r\n\r\n", 4))
			head = false;
	}
	return n;
}

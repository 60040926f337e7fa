/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: any track_file, and any datagram of the kernel's proc connector. Held: a number is one that its negative
 * fits beside, and does not depend on what stands behind it; an event names a process only when it is one.
 */
#include <stdlib.h>
#include <string.h>

#include "watch/watch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void hold(bool truth)
{
	if (!truth)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *exact = malloc(len + 1); /* its exact size, for the sanitizer */
	char longer[WATCH_NUMBER_BYTES + 8];
	int32_t number = 0, again = 0;
	pid_t pid = -1;
	bool any;

	hold(exact != NULL);
	memcpy(exact, data, len);
	any = !watch_number(exact, len, &number);
	hold(!any || number > INT32_MIN);
	if (any && len < WATCH_NUMBER_BYTES) {
		memcpy(longer, data, len);
		memcpy(longer + len, "\n7", 2);
		hold(!watch_number(longer, len + 2, &again) && again == number);
	}
	hold(watch_proc_event(exact, len, &pid) == WATCH_NOTHING || len > 36);
	free(exact);
	return 0;
}

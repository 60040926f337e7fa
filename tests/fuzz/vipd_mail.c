/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: whatever an SMTP server answers, all at once, to the mail of vipd. Held: it ends, no more mails count as
 * delivered than there are, and all of them do when it says that all is well.
 */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "mail/mail.h"

#define MAILS 3
#define ANSWERS_MAX 65536 /* what a socket takes without a reader */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void hold(bool truth)
{
	if (!truth)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *to[] = {"a@example.org", "b@example.org"};
	static char subject[] = "subject", body[] = "body", dot[] = ".why";
	const struct conf_mail c = {
	    .to = to, .n_to = 2, .from = "c@example.org", .helo = "here", .server = "there"};
	const struct mail mail = {.when = 1.5e9, .subject = subject, .body = body, .why = dot};
	const struct mail *const list[MAILS] = {&mail, &mail, &mail};
	const struct log_opts quiet = {.ident = "fuzz", .no_syslog = true};
	uint32_t delivered = 0;
	int pair[2], r;

	if (len > ANSWERS_MAX)
		return 0;
	log_open(&quiet);
	hold(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	hold(send(pair[1], data, len, 0) == (ssize_t)len);
	shutdown(pair[1], SHUT_WR);
	r = mail_talk(pair[0], &c, list, MAILS, &delivered);
	hold(delivered <= MAILS && (r < 0 || delivered == MAILS));
	close(pair[0]);
	close(pair[1]);
	return 0;
}

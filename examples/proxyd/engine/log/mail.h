/* SPDX-License-Identifier: MIT */
/*
 * Mail of what happens to servers (email-alert): to each mailer of the section, one connection per mail, one mail at a
 * time, and as HAProxy none twice: a mailer that does not take one has it no more. The control thread, which never waits.
 */
#ifndef PROXYD_ENGINE_LOG_MAIL_H
#define PROXYD_ENGINE_LOG_MAIL_H

#include <stdint.h>

#include "cfg/cfg.h"

#define MAIL_QUEUE_MAX 256u /* that wait for one mailer; more are not sent, and the log says so */

struct mails;

/* 0 or -errno. */
int mails_new(struct mails **ret);
void mails_free(struct mails *m);

/* Queues it for each mailer, unless `level` is more detailed than is wanted. All is copied. */
void mails_send(struct mails *m, const struct cfg_email *to, int level, const char *text, uint64_t now_ns);

/* Joins a loop. */
int mails_fd(const struct mails *m);
uint64_t mails_deadline(const struct mails *m);
int mails_dispatch(struct mails *m, uint64_t now_ns);

#endif

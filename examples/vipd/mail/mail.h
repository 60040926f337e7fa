/* SPDX-License-Identifier: MIT */
/*
 * Mail about changes (smtp_alert). The supervisor only queues: a process of its own, without privilege,
 * takes what waits to the server and ends, so that nobody waits for a server and no answer of one is
 * read where there are rights. What could not be delivered is tried again, ever later.
 */
#ifndef VIPD_MAIL_H
#define VIPD_MAIL_H

#include <jansson.h>
#include <sys/types.h>

#include "conf/conf.h"
#include "loop.h"

#define MAIL_QUEUE_MAX 1024  /* waiting; more are refused, and counted in the log */
#define MAIL_BATCH_MAX 64    /* over one connection */
#define MAIL_ATTEMPTS_MAX 10 /* then what waits is given up */

struct mail {
	double when;		    /* UNIX seconds */
	char *subject, *body, *why; /* why: of its own paragraph, may be empty */
};

struct mails;

int mails_new(struct loop *l, struct mails **ret);
void mails_free(struct mails *m);

/* From whom, to whom, by which server: copied by reference, so again after each reload. */
void mails_configure(struct mails *m, const struct conf *c);

/* All is copied, and control characters in it become blanks. Nothing to do without smtp_server. */
__attribute__((format(printf, 4, 5))) void mails_send(struct mails *m, const char *body,
						      const char *why, const char *subject, ...);

/* A child ended: true when it was the one that delivers. */
bool mails_reap(struct mails *m, pid_t pid, int status);

/* For a program that takes this process over (upgrade.h): what waits, and who delivers, whose parent it is then. */
json_t *mails_freeze(struct mails *m);
/* After mails_configure. NULL is nothing. */
void mails_thaw(struct mails *m, const json_t *frozen);

/* Nothing waits but for a later attempt. */
bool mails_idle(const struct mails *m);

/*
 * mail/smtp.c, in a process that may wait: tells the server all `n`, and counts in *delivered those that
 * are dealt with, which is taken or refused for good. 0 when all are, else -errno, said in the log.
 */
int mail_deliver(const struct conf_mail *to, const struct mail *const *list, size_t n,
		 volatile uint32_t *delivered);
/* The same over a connection that is there; it stays open. */
int mail_talk(int fd, const struct conf_mail *to, const struct mail *const *list, size_t n,
	      volatile uint32_t *delivered);

#endif

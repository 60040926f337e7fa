/* SPDX-License-Identifier: MIT */
/*
 * track_file: the folders of the files are watched (inotify), since a file may be replaced, or come later. A folder
 * that is not there is looked for once a second.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "watch/watch.h"

#define SECOND_NS UINT64_C(1000000000)
/* Not IN_MODIFY: "echo 5 >FILE" empties it first, and that is no number. */
#define EVENTS                                                                                  \
	(IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE | IN_DELETE_SELF | \
	 IN_MOVE_SELF | IN_ONLYDIR)
#define EVENTS_PER_TURN 16 /* reads */

struct watched_file {
	const struct conf_watch *conf;
	int folder; /* inotify's number; -1: none */
};

struct watch_files {
	struct watches *all;
	struct watched_file *file;
	size_t n;
	int fd;
	struct loop_source *source, *again;
};

/* 0 when there is none: no file, or no number in it. What it was `before`, when it is too large. */
static int32_t read_number(const char *path, int32_t before)
{
	char text[WATCH_NUMBER_BYTES];
	int32_t v = 0;
	int r, fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;
	ssize_t len = -1;

	if (fd < 0)
		return 0;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode))
		len = read(fd, text, sizeof(text));
	close(fd);
	if (len <= 0)
		return 0;
	r = watch_number(text, (size_t)len, &v);
	if (r == -EINVAL)
		log_warn("track_file: %s has no number in it: taken as 0", path);
	if (r == -ERANGE)
		log_warn("track_file: the number in %s is too large: it stays %d", path, before);
	return r == -ERANGE ? before : v;
}

static void look(struct watch_files *f, const struct watched_file *w)
{
	int32_t before = f->all->value[w->conf->index], value = read_number(w->conf->file.path, before);

	if (before != value)
		log_info("track_file %s: %d, was %d", w->conf->name, value, before);
	watches_set(f->all, w->conf->index, value);
}

static const char *name_of(const struct watched_file *w)
{
	return strrchr(w->conf->file.path, '/') + 1;
}

static void watch_folder(struct watch_files *f, struct watched_file *w)
{
	const char *path = w->conf->file.path;
	int len = (int)(name_of(w) - path);
	char *folder = NULL;

	if (f->fd >= 0 && asprintf(&folder, "%.*s", len, path) > 0)
		w->folder = inotify_add_watch(f->fd, folder, EVENTS);
	free(folder);
}

/* Those whose folder is not watched: looked at, and perhaps it is there now. */
static void on_again(struct loop *l, void *userdata)
{
	struct watch_files *f = userdata;
	bool all = true;

	for (size_t i = 0; i < f->n; i++) {
		if (f->file[i].folder >= 0)
			continue;
		watch_folder(f, &f->file[i]);
		look(f, &f->file[i]); /* after it: what happens from now on is told */
		all &= f->file[i].folder >= 0;
	}
	if (!all)
		loop_arm(f->again, loop_now_ns(l) + SECOND_NS);
}

static void on_event(struct watch_files *f, const struct inotify_event *e)
{
	bool lost = e->mask & IN_Q_OVERFLOW;

	for (size_t i = 0; i < f->n; i++) {
		struct watched_file *w = &f->file[i];

		if (!lost && w->folder != e->wd)
			continue;
		if (e->mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF)) {
			w->folder = -1;
			loop_arm(f->again, loop_now_ns(f->all->loop));
		}
		if (lost || !e->len || !strcmp(e->name, name_of(w)))
			look(f, w);
	}
}

static void on_readable(struct loop *l, int fd, uint32_t events, void *userdata)
{
	_Alignas(struct inotify_event) char buf[4096];

	for (int turn = 0; turn < EVENTS_PER_TURN; turn++) {
		ssize_t len = read(fd, buf, sizeof(buf));

		if (len <= 0)
			return;
		for (char *at = buf; at < buf + len;) {
			const struct inotify_event *e = (void *)at;

			on_event(userdata, e);
			at += sizeof(*e) + e->len;
		}
	}
}

/* ---- init_file ---- */

static bool had_it(const struct watches *old, const char *path)
{
	for (const struct conf_watch *w = old ? old->conf->watches : NULL; w; w = w->next)
		if (w->kind == CONF_WATCH_FILE && !strcmp(w->file.path, path))
			return true;
	return false;
}

/* A link at that name is not followed. */
static void write_first(const struct conf_watch *w)
{
	int fd = open(w->file.path,
		      O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK |
			  (w->file.overwrite ? O_TRUNC : O_EXCL),
		      0644);

	if (fd < 0 && errno == EEXIST)
		return;
	if (fd < 0 || dprintf(fd, "%d\n", w->file.first) < 0)
		log_warn("init_file: cannot write %s: %s", w->file.path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* ---- Life ---- */

static size_t count_files(const struct conf *c)
{
	size_t n = 0;

	for (const struct conf_watch *w = c->watches; w; w = w->next)
		n += w->kind == CONF_WATCH_FILE;
	return n;
}

int watch_files_new(struct watches *all, const struct watches *old)
{
	size_t n = count_files(all->conf);
	struct watch_files *f;
	int r;

	if (!n)
		return 0;
	f = all->files = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->all = all;
	f->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (f->fd < 0)
		log_warn("track_file: files are looked at once a second: inotify: %s",
			 strerror(errno));
	f->file = calloc(n, sizeof(*f->file));
	r = f->file ? loop_add_timer(all->loop, on_again, f, &f->again) : -ENOMEM;
	if (r >= 0 && f->fd >= 0)
		r = loop_add_fd(all->loop, f->fd, EPOLLIN, on_readable, f, &f->source);
	if (r < 0)
		return r;
	for (const struct conf_watch *w = all->conf->watches; w; w = w->next) {
		if (w->kind != CONF_WATCH_FILE)
			continue;
		if (w->file.init && !had_it(old, w->file.path))
			write_first(w);
		f->file[f->n++] = (struct watched_file){.conf = w, .folder = -1};
	}
	on_again(all->loop, f);
	return 0;
}

void watch_files_free(struct watch_files *f)
{
	if (!f)
		return;
	loop_remove(f->source);
	loop_remove(f->again);
	if (f->fd >= 0)
		close(f->fd);
	free(f->file);
	free(f);
}

/* SPDX-License-Identifier: MIT */
/* Doubly linked list with a head; the node lives inside the element. O(1) add and remove. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *prev, *next;
};

#define LIST_INIT(head) {&(head), &(head)}

/* The element that holds `node` as its member `member`. */
#define container_of(node, type, member) ((type *)(void *)((char *)(node) - offsetof(type, member)))

static inline void list_init(struct list *head)
{
	head->prev = head->next = head;
}

static inline bool list_empty(const struct list *head)
{
	return head->next == head;
}

static inline void list_insert_before(struct list *at, struct list *node)
{
	node->prev = at->prev;
	node->next = at;
	at->prev->next = node;
	at->prev = node;
}

static inline void list_add_tail(struct list *head, struct list *node)
{
	list_insert_before(head, node);
}

static inline void list_add_head(struct list *head, struct list *node)
{
	list_insert_before(head->next, node);
}

/* Removing leaves the node pointing to itself: removing it again is harmless. */
static inline void list_remove(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

static inline size_t list_count(const struct list *head)
{
	size_t n = 0;

	for (const struct list *i = head->next; i != head; i = i->next)
		n++;
	return n;
}

/* `pos` is a struct list *. */
#define list_for_each(pos, head) for (pos = (head)->next; pos != (head); pos = pos->next)

/* As above; `pos` may be removed inside the loop, its successor `tmp` may not. */
#define list_for_each_safe(pos, tmp, head)                                                         \
	for (pos = (head)->next, tmp = pos->next; pos != (head); pos = tmp, tmp = pos->next)

#endif

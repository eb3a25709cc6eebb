/* SPDX-License-Identifier: MIT */
/* Intrusive doubly linked list. A list head is a link that points at itself when empty; an
 * unlinked member points at itself too, so list_del() twice is harmless. */
#ifndef COMMON_LIST_H
#define COMMON_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *prev;
};

#define list_of(link, type, member) ((type *)((char *)(link)-offsetof(type, member)))

#define list_each(it, head) for (struct list *it = (head)->next; it != (head); it = it->next)

/* The member `it` may be deleted inside the loop, no other. */
#define list_each_safe(it, tmp, head)                                                              \
    for (struct list *it = (head)->next, *tmp = it->next; it != (head); it = tmp, tmp = it->next)

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}

static inline size_t list_count(const struct list *head)
{
    size_t count = 0;
    for (const struct list *it = head->next; it != head; it = it->next)
        count++;
    return count;
}

static inline void list_del(struct list *l)
{
    l->prev->next = l->next;
    l->next->prev = l->prev;
    list_init(l);
}

static inline void list_add_tail(struct list *head, struct list *l)
{
    l->prev = head->prev;
    l->next = head;
    head->prev->next = l;
    head->prev = l;
}

static inline void list_add_head(struct list *head, struct list *l)
{
    list_add_tail(head->next, l);
}

#endif

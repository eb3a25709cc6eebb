/* SPDX-License-Identifier: MIT */
/* When a fetch is late. It has one deadline, the nearest of its row's limit, its total, its minimum
 * rate and the next look at what no event tells; progress only moves the field. */
#include "daemon/fetch/machine.h"

#include "common/clock.h"

static const struct {
    size_t limit; /* offset in struct job_limits */
    enum reason late;
} rows[FETCH_STATE_COUNT] = {
#define ROW(state_, step_, help_, limit_, late_)                                                   \
    [FETCH_##state_] = {.limit = offsetof(struct job_limits, limit_), .late = REASON_##late_},
    FETCH_ROUTE(ROW)
#undef ROW
};

uint32_t fetch_us(const struct fetch *f)
{
    int64_t us = (clock_mono_ns() - f->begin_ns) / 1000;
    return us < 1 ? 1 : us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

int64_t deadline_add(int64_t at_ns, int64_t limit_ns)
{
    return limit_ns > INT64_MAX - at_ns ? INT64_MAX : at_ns + limit_ns;
}

static int64_t row_limit_ns(const struct fetch *f)
{
    return *(const int64_t *)((const char *)&f->job->limits + rows[f->state].limit);
}

/* The nearest of the row's limit, the total, the minimum rate and the next look at the socket. */
static void fetch_set_deadline(struct fetch *f)
{
    int64_t due_ns = f->limit_ns < f->total_ns ? f->limit_ns : f->total_ns;
    if (f->answer && f->answer->rate_ns < due_ns)
        due_ns = f->answer->rate_ns;
    if (f->look_ns && f->look_ns < due_ns)
        due_ns = f->look_ns;
    wheel_set(&f->machine->wheel, &f->wheel, due_ns);
}

void fetch_rate_begin(struct fetch *f)
{
    const struct job_limits *limits = &f->job->limits;
    f->answer->rate_ns = deadline_add(clock_mono_ns(), limits->rate_ns);
    f->answer->rate_bytes = f->wire_bytes + limits->rate_bytes;
}

/* A span of the minimum rate is over: is the answer below it? */
static bool fetch_is_slow(struct fetch *f, int64_t now_ns)
{
    if (!f->answer || f->answer->rate_ns > now_ns)
        return false;
    if (f->wire_bytes < f->answer->rate_bytes)
        return true;
    fetch_rate_begin(f);
    return false;
}

void fetch_progress(struct fetch *f, int64_t limit_ns)
{
    f->limit_ns = deadline_add(clock_mono_ns(), limit_ns);
    fetch_set_deadline(f);
}

void fetch_stop_clock(struct fetch *f)
{
    wheel_remove(&f->machine->wheel, &f->wheel);
}

void fetch_go_clock(struct fetch *f, int64_t since_ns)
{
    int64_t waited_ns = clock_mono_ns() - since_ns;
    f->limit_ns = deadline_add(f->limit_ns, waited_ns);
    f->total_ns = deadline_add(f->total_ns, waited_ns);
    if (f->answer)
        f->answer->rate_ns = deadline_add(f->answer->rate_ns, waited_ns);
    fetch_set_deadline(f);
}

void fetch_row_began(struct fetch *f)
{
    if (f->state >= FETCH_JUDGE)
        wheel_remove(&f->machine->wheel, &f->wheel);
    else
        fetch_progress(f, row_limit_ns(f));
}

void fetch_look_later(struct fetch *f)
{
    f->look_ns = clock_mono_ns() + FETCH_LOOK_NS;
    fetch_set_deadline(f);
}

/* What no event tells: whether the request was acknowledged, whether a descriptor fell free. */
static void fetch_look(struct fetch *f)
{
    f->look_ns = 0;
    if (f->state != FETCH_HEAD)
        machine_drive(f);
    else if (conn_acknowledged(f->conn))
        fetch_tell_sent(f);
    else
        fetch_look_later(f);
}

/* The one place where lateness is seen. */
void fetch_late(struct wheel_member *member)
{
    struct fetch *f = list_of(member, struct fetch, wheel);
    int64_t now_ns = clock_mono_ns();
    bool slow = fetch_is_slow(f, now_ns);
    if (f->limit_ns > now_ns && f->total_ns > now_ns && !slow) {
        fetch_set_deadline(f);
        fetch_look(f);
        return;
    }
    if (f->state == FETCH_CONNECT && f->total_ns > now_ns && fetch_next_address(f)) {
        machine_drive(f);
        return;
    }
    enum reason reason = rows[f->state].late;
    if (f->total_ns <= now_ns)
        reason = REASON_TOTAL_TIMEOUT;
    else if (f->limit_ns > now_ns)
        reason = REASON_TOO_SLOW;
    else if (f->state == FETCH_HEAD && f->answer)
        reason = REASON_IDLE_TIMEOUT;
    fetch_detour(f, fetch_fail(f, reason, NULL));
}

/* SPDX-License-Identifier: MIT */
/* A worker begins with three inherited descriptors, waits for CONF, makes its machine and says
 * READY; from then on leases come and their ends go. It ends when it is drained, and dies with the
 * supervisor. */
#include "daemon/worker/worker.h"
#include "daemon/worker/entry.h"

#include <ares.h>
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "common/xalloc.h"
#include "daemon/fetch/memory.h"
#include "daemon/worker/blame.h"
#include "common/heritage.h"
#include "daemon/worker/uplink.h"

#define NICE 5

/* A worker with less memory spares the kernel's, too. */
#define TIGHT_BYTES         (256ull << 20)
#define TIGHT_RECEIVE_BYTES (64 << 10)

void worker_end(struct worker *w, int exit_code)
{
    w->exit_code = exit_code;
    ev_break(w->loop, EVBREAK_ALL);
}

static unsigned descriptors_raise(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r))
        return 1024;
    r.rlim_cur = r.rlim_max;
    setrlimit(RLIMIT_NOFILE, &r);
    getrlimit(RLIMIT_NOFILE, &r);
    return r.rlim_cur > 1 << 20 ? 1 << 20 : (unsigned)r.rlim_cur;
}

static unsigned connections_max(void)
{
    unsigned all = descriptors_raise();
    return all > 2 * WORKER_FDS_RESERVED ? all - WORKER_FDS_RESERVED : all / 2;
}

/* As many leases as the configuration, descriptors and memory allow. */
static unsigned slots_max(const struct settings *s, unsigned open_max, uint64_t memory_max)
{
    unsigned slots = memory_slots(memory_max);
    if (open_max < slots)
        slots = open_max;
    return s->in_flight && s->in_flight < slots ? (unsigned)s->in_flight : slots;
}

/* What is freed goes back to the kernel: memory that one worker keeps another one lacks. */
static void return_memory(uint64_t memory_max)
{
    uint64_t keep = memory_max / 16;
    mallopt(M_MMAP_THRESHOLD, 1 << 20);
    mallopt(M_TRIM_THRESHOLD, keep < 32 << 20 ? (int)keep : 32 << 20);
    if (memory_max < TIGHT_BYTES)
        prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
}

int worker_configure(struct worker *w, const char *text, size_t len)
{
    struct policy policy;
    const char *wrong;
    policy_init(&policy);
    int err = settings_read(&w->settings, text, len, &policy, &wrong);
    if (err) {
        log_err("conf=%s error=\"not as it should be\"", wrong);
        policy_done(&policy);
        return err;
    }
    const struct settings *s = &w->settings;
    struct machine_conf conf = {.number = w->number,
                                .user_agent = s->user_agent,
                                .contact = s->contact,
                                .dns_servers = s->dns_servers,
                                .ca_file = s->ca_file,
                                .source = s->source,
                                .memory_max = s->memory_limit ? s->memory_limit : UINT64_MAX,
                                .open_max = connections_max()};
    conf.slots = slots_max(s, conf.open_max, conf.memory_max);
    conf.receive_bytes = conf.memory_max < TIGHT_BYTES ? TIGHT_RECEIVE_BYTES : 0;
    return_memory(conf.memory_max);
    w->machine = xmalloc(sizeof *w->machine);
    err = machine_init(w->machine, w->loop, &w->uplink, w->stats, &conf);
    policy_done(&w->machine->policy);
    w->machine->policy = policy;
    if (!err)
        ipc_add_number(&w->uplink, IPC_READY, conf.slots);
    return err;
}

static void on_beat(struct ev_loop *loop, ev_timer *t, int revents)
{
    struct worker *w = list_of(t, struct worker, beat);
    if (w->machine)
        machine_beat(w->machine);
    ipc_add_number(&w->uplink, IPC_BEAT, w->machine ? w->machine->lease_count : 0);
}

static void on_term(struct ev_loop *loop, ev_signal *s, int revents)
{
    list_of(s, struct worker, term)->draining = true;
}

/* Between fork and prctl the parent may have died already: then another one has us. */
static bool parent_lives(void)
{
    struct ucred peer;
    socklen_t len = sizeof peer;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    return !getsockopt(HERITAGE_SOCKET_FD, SOL_SOCKET, SO_PEERCRED, &peer, &len) &&
           peer.pid == getppid();
}

static int worker_init(struct worker *w, int number)
{
    w->number = number;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* EFBIG is told like ENOSPC */
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    if (nice(NICE) < 0)
        log_debug("nice=%d", NICE);
    w->stats =
        mmap(NULL, sizeof *w->stats, PROT_READ | PROT_WRITE, MAP_SHARED, HERITAGE_STATS_FD, 0);
    if (w->stats == MAP_FAILED)
        return -errno;
    blame_init(w->stats);
    if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
        return -EIO;
    w->loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    if (!w->loop)
        return -ENOMEM;
    uplink_start(w, HERITAGE_SOCKET_FD);
    lag_start(&w->lag, w->loop, w->stats);
    ev_timer_init(&w->beat, on_beat, 1.0, 1.0);
    ev_timer_start(w->loop, &w->beat);
    ev_signal_init(&w->term, on_term, SIGTERM);
    ev_signal_start(w->loop, &w->term);
    return 0;
}

static void worker_done(struct worker *w)
{
    if (w->machine)
        machine_done(w->machine);
    free(w->machine);
    settings_done(&w->settings);
    buf_done(&w->text);
    uplink_stop(w);
    lag_stop(&w->lag, w->loop);
    ev_timer_stop(w->loop, &w->beat);
    ev_signal_stop(w->loop, &w->term);
    ev_loop_destroy(w->loop);
    ares_library_cleanup();
    munmap(w->stats, sizeof *w->stats);
}

int worker_main(int number)
{
    struct worker w = {0};
    log_to_supervisor();
    if (!parent_lives())
        return 1;
    int err = worker_init(&w, number);
    if (err) {
        log_err("start=failed error=\"%s\"", strerror(-err));
        return 1;
    }
    ev_run(w.loop, 0);
    worker_done(&w);
    return w.exit_code;
}

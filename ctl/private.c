/* SPDX-License-Identifier: MIT */
/* crawld is looked for next to crawlctl: in the build tree, as installed, then in $PATH. The child
 * stands in a process group of its own, so that Ctrl-C reaches only us and we decide; it is killed
 * with us by PR_SET_PDEATHSIG, set before exec, and by the check that we are still its parent. Its
 * configuration is what the command line says and no file. Its socket lies in the state directory,
 * or, when that path is too long for a socket, in a new directory under $XDG_RUNTIME_DIR or /tmp.
 */
#include "ctl/private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/xalloc.h"
#include "ctl/exits.h"
#include "ctl/say.h"
#include "ctl/signals.h"

#define START_PATIENCE_NS (60 * NS_PER_S)

struct private
{
    pid_t pid;
    char *dir, *log, *socket; /* owned */
    bool made_dir;            /* it was not there before */
    char *socket_dir;         /* owned; made by us, NULL if the socket lies in dir */
    bool ended;               /* or never begun: pid is nobody's then */
    int status;               /* of waitpid(), once ended */
    off_t log_begin;          /* bytes of the log that are of earlier runs */
};

static char *joined(const char *dir, const char *name)
{
    struct buf b = {0};
    buf_addf(&b, "%s/%s", dir, name);
    return buf_take(&b, NULL);
}

/* The program's path, or "crawld" for $PATH; the caller frees. */
static char *find_crawld(void)
{
    static const char *const near[] = {"../daemon/crawld", "../sbin/crawld", "crawld"};
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n > 0) {
        self[n] = '\0';
        char *slash = strrchr(self, '/');
        if (slash)
            *slash = '\0';
        for (size_t i = 0; i < sizeof near / sizeof *near; i++) {
            char *path = joined(self, near[i]);
            struct stat s;
            if (!stat(path, &s) && S_ISREG(s.st_mode) && !access(path, X_OK))
                return path;
            free(path);
        }
    }
    return xstrdup("crawld");
}

static int place_socket(struct private *p)
{
    p->socket = joined(p->dir, "control.sock");
    if (strlen(p->socket) < sizeof((struct sockaddr_un *)0)->sun_path)
        return 0;
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    if (!runtime || *runtime != '/' || strlen(runtime) > 60)
        runtime = "/tmp";
    p->socket_dir = joined(runtime, "crawlctl-XXXXXX");
    if (!mkdtemp(p->socket_dir)) {
        say_error("cannot make a directory under %s: %s", runtime, strerror(errno));
        free(p->socket_dir);
        p->socket_dir = NULL;
        return EXIT_FAILED;
    }
    free(p->socket);
    p->socket = joined(p->socket_dir, "control.sock");
    return 0;
}

static _Noreturn void child(const struct private *p, pid_t parent, int log_fd, int error_fd,
                            char *const *argv)
{
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    setpgid(0, 0);
    int null = open("/dev/null", O_RDONLY);
    dup2(null, STDIN_FILENO);
    dup2(log_fd, STDOUT_FILENO);
    dup2(log_fd, STDERR_FILENO);
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) || getppid() != parent)
        _exit(1);
    execvp(argv[0], argv);
    int err = errno;
    ssize_t n = write(error_fd, &err, sizeof err);
    _exit(n == sizeof err ? 127 : 126);
}

/* Forks; the pipe closes by exec or brings its errno. */
static int spawn(struct private *p, char *const *argv)
{
    int pipe_fds[2], err = 0;
    int log_fd = open(p->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (log_fd < 0 || pipe2(pipe_fds, O_CLOEXEC)) {
        say_error("cannot write %s: %s", p->log, strerror(errno));
        if (log_fd >= 0)
            close(log_fd);
        return EXIT_FAILED;
    }
    p->log_begin = lseek(log_fd, 0, SEEK_END);
    pid_t parent = getpid();
    p->pid = fork();
    if (!p->pid)
        child(p, parent, log_fd, pipe_fds[1], argv);
    p->ended = p->pid < 0;
    close(pipe_fds[1]);
    close(log_fd);
    ssize_t n = read(pipe_fds[0], &err, sizeof err);
    close(pipe_fds[0]);
    if (p->pid > 0 && n != sizeof err)
        return 0;
    say_error("cannot start %s: %s", argv[0], strerror(n == sizeof err ? err : EAGAIN));
    say_hint("crawld belongs next to crawlctl (../sbin) or into $PATH");
    if (p->pid > 0)
        waitpid(p->pid, NULL, 0);
    p->ended = true;
    return EXIT_FAILED;
}

static int exec_crawld(struct private *p, size_t setting_count, const char *const *settings)
{
    char *program = find_crawld();
    char **argv = xcalloc(setting_count * 2 + 10, sizeof *argv);
    size_t n = 0;
    argv[n++] = program;
    argv[n++] = (char *)"-c";
    argv[n++] = (char *)"/dev/null";
    argv[n++] = (char *)"--state-dir";
    argv[n++] = p->dir;
    argv[n++] = (char *)"--socket";
    argv[n++] = p->socket;
    for (size_t i = 0; i < setting_count; i++) {
        argv[n++] = (char *)"--set";
        argv[n++] = (char *)settings[i];
    }
    int r = spawn(p, argv);
    free(argv);
    free(program);
    return r;
}

static bool has_ended(struct private *p)
{
    if (!p->ended && waitpid(p->pid, &p->status, WNOHANG) == p->pid)
        p->ended = true;
    return p->ended;
}

/* The last lines our daemon logged, for one that did not start. */
static void show_log(const char *path, off_t begin)
{
    char text[2048];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    off_t end = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
    bool cut = end - begin > (off_t)sizeof text - 1;
    off_t from = cut ? end - (off_t)sizeof text + 1 : begin;
    ssize_t n = fd < 0 ? -1 : pread(fd, text, sizeof text - 1, from);
    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return;
    text[n] = '\0';
    char *rest = text, *line;
    if (cut)
        strsep(&rest, "\n");
    while ((line = strsep(&rest, "\n")))
        if (*line)
            say_error("crawld: %s", line);
}

/* 0 when our daemon answers, -EAGAIN when not yet (another one's socket may lie there while ours
 * finds the state directory taken), or an exit code. */
static int try_connect(struct private *p, int64_t reply_timeout_ns, struct client **ret_client)
{
    if (!client_reachable(p->socket))
        return -EAGAIN;
    int r = client_open(p->socket, reply_timeout_ns, ret_client);
    if (r || json_integer_value(json_object_get(client_hello(*ret_client), "pid")) == p->pid)
        return r;
    client_close(*ret_client);
    *ret_client = NULL;
    return -EAGAIN;
}

static int await(struct private *p, int64_t reply_timeout_ns, struct client **ret_client)
{
    int r;
    int64_t until_ns = clock_mono_ns() + START_PATIENCE_NS;
    while ((r = try_connect(p, reply_timeout_ns, ret_client)) == -EAGAIN) {
        if (has_ended(p)) {
            say_error("crawld did not start");
            show_log(p->log, p->log_begin);
            return EXIT_FAILED;
        }
        if (clock_mono_ns() > until_ns) {
            say_error("crawld does not open its socket");
            say_hint("its log is %s", p->log);
            return EXIT_TIMEOUT;
        }
        if (signals_sleep_ns(10 * NS_PER_MS))
            return EXIT_INTERRUPTED;
    }
    return r;
}

static void end(struct private *p)
{
    int heard = signals_interrupted();
    if (!has_ended(p))
        kill(p->pid, SIGTERM);
    while (!has_ended(p)) {
        if (signals_interrupted() > heard)
            kill(p->pid, SIGKILL);
        nanosleep(&(struct timespec){.tv_nsec = 10 * NS_PER_MS}, NULL);
    }
}

static void release(struct private *p)
{
    if (p->socket_dir) {
        unlink(p->socket);
        rmdir(p->socket_dir);
    }
    free(p->socket_dir);
    free(p->socket);
    free(p->dir);
    free(p->log);
    free(p);
}

int private_start(const char *dir, size_t setting_count, const char *const *settings,
                  int64_t reply_timeout_ns, struct private **ret_private,
                  struct client **ret_client)
{
    int made = mkdir(dir, 0777);
    if (made && errno != EEXIST) {
        say_error("cannot make %s: %s", dir, strerror(errno));
        return EXIT_FAILED;
    }
    struct private *p = xcalloc(1, sizeof *p);
    p->made_dir = !made;
    p->ended = true;
    p->dir = realpath(dir, NULL);
    if (!p->dir)
        p->dir = xstrdup(dir);
    p->log = joined(p->dir, "crawld.log");
    int r = place_socket(p);
    if (!r)
        r = exec_crawld(p, setting_count, settings);
    if (!r)
        r = await(p, reply_timeout_ns, ret_client);
    if (r) {
        end(p);
        release(p);
        return r;
    }
    *ret_private = p;
    return 0;
}

/* A directory of ours in which no job came to be goes again. */
static void forget_empty(const char *dir)
{
    char *jobs = joined(dir, "jobs");
    DIR *d = rmdir(jobs) ? NULL : opendir(dir);
    free(jobs);
    if (!d)
        return;
    for (struct dirent *e; (e = readdir(d));)
        unlinkat(dirfd(d), e->d_name, 0);
    closedir(d);
    rmdir(dir);
}

static int verdict(const struct private *p)
{
    if (WIFEXITED(p->status) && !WEXITSTATUS(p->status))
        return 0;
    if (WIFSIGNALED(p->status))
        say_error("crawld ended by signal %d", WTERMSIG(p->status));
    else
        say_error("crawld ended with exit code %d", WEXITSTATUS(p->status));
    say_hint("its log is %s", p->log);
    return EXIT_FAILED;
}

int private_stop(struct private *p)
{
    if (!p)
        return 0;
    end(p);
    int r = verdict(p);
    if (!r && p->made_dir)
        forget_empty(p->dir);
    release(p);
    return r;
}

/* SPDX-License-Identifier: MIT */
/* Machines as /proc and /sys show them, laid out in a directory. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "daemon/supervisor/memory.h"
#include "tests/unit/unit.h"

#define MIB (1ull << 20)

static char root[32];

static void begin(void)
{
    strcpy(root, "/tmp/test_memory.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
}

static void end(void)
{
    struct buf b = {0};
    buf_addf(&b, "rm -r %s", root);
    ck_assert_int_eq(system(buf_str(&b)), 0);
    buf_done(&b);
}

static void has(const char *path, const char *text)
{
    struct buf b = {0};
    buf_addf(&b, "mkdir -p $(dirname %s%s)", root, path);
    ck_assert_int_eq(system(buf_str(&b)), 0);
    buf_clear(&b);
    buf_addf(&b, "%s%s", root, path);
    FILE *f = fopen(buf_str(&b), "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
    buf_done(&b);
}

START_TEST(the_least_limit_from_our_cgroup_up_to_the_root_counts)
{
    begin();
    has("/proc/self/cgroup", "0::/a.slice/b.service\n");
    has("/proc/self/mountinfo", "22 1 0:2 / /proc rw - proc proc rw\n"
                                "31 22 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw\n");
    ck_assert_uint_eq(memory_cgroup_bytes(root), 0);
    has("/sys/fs/cgroup/a.slice/b.service/memory.max", "max\n");
    ck_assert_uint_eq(memory_cgroup_bytes(root), 0);
    has("/sys/fs/cgroup/a.slice/memory.max", "1048576000\n");
    ck_assert_uint_eq(memory_cgroup_bytes(root), 1048576000);
    has("/sys/fs/cgroup/a.slice/b.service/memory.max", "134217728\n");
    ck_assert_uint_eq(memory_cgroup_bytes(root), 128 * MIB);
    has("/sys/fs/cgroup/memory.max", "104857600\n");
    ck_assert_uint_eq(memory_cgroup_bytes(root), 100 * MIB);
    end();
}
END_TEST

START_TEST(version_1_has_a_hierarchy_of_its_own)
{
    begin();
    has("/proc/self/cgroup", "8:pids:/p\n4:cpu,memory:/crawl\n2:name=systemd:/crawl\n0::/\n");
    has("/proc/self/mountinfo", "36 31 0:31 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"
                                "35 31 0:32 / /cg/m rw - cgroup cgroup rw,cpu,memory\n"
                                "41 31 0:38 / /cg/u rw - cgroup2 cgroup2 rw\n");
    has("/cg/m/memory.limit_in_bytes", "9223372036854771712\n");
    ck_assert_uint_eq(memory_cgroup_bytes(root), 0);
    has("/cg/m/crawl/memory.limit_in_bytes", "134217728\n");
    ck_assert_uint_eq(memory_cgroup_bytes(root), 128 * MIB);
    end();
}
END_TEST

START_TEST(a_container_sees_a_part_of_the_hierarchy)
{
    begin();
    has("/proc/self/cgroup", "4:memory:/docker/abc/job\n");
    has("/proc/self/mountinfo", "35 31 0:32 /docker/abc /cg rw - cgroup cgroup rw,memory\n");
    has("/cg/memory.limit_in_bytes", "209715200\n");
    ck_assert_uint_eq(memory_cgroup_bytes(root), 200 * MIB);
    has("/cg/job/memory.limit_in_bytes", "134217728\n");
    ck_assert_uint_eq(memory_cgroup_bytes(root), 128 * MIB);
    end();
}
END_TEST

START_TEST(nothing_to_read_is_no_limit)
{
    begin();
    ck_assert_uint_eq(memory_cgroup_bytes(root), 0);
    has("/proc/self/cgroup", "nonsense\n::\n0::\n4:memory\n");
    has("/proc/self/mountinfo", "nonsense\n - cgroup2\n1 2 3 / /x - cgroup2\n");
    ck_assert_uint_eq(memory_cgroup_bytes(root), 0);
    end();
}
END_TEST

START_TEST(the_parts_add_up_to_the_limit)
{
    for (uint64_t limit = 64 * MIB; limit < 1ull << 44; limit = limit * 3 / 2)
        for (int workers = 1; workers < 5; workers++) {
            struct memory_plan p = memory_plan(limit, workers);
            ck_assert_uint_eq(p.limit_bytes, limit);
            ck_assert_str_eq(p.from, "memory_limit");
            ck_assert_int_eq(p.workers, workers);
            ck_assert_uint_ge(p.worker_bytes, 4 * MIB);
            ck_assert_uint_le(p.supervisor_bytes + p.worker_bytes * (unsigned)workers, limit);
        }
}
END_TEST

START_TEST(little_memory_has_few_workers)
{
    ck_assert_int_eq(memory_plan(MIB, 0).workers, 1);
    ck_assert_int_eq(memory_plan(90 * MIB, 0).workers, 1);
    ck_assert_int_ge(memory_plan(1ull << 44, 0).workers, 1);
    ck_assert_uint_eq(memory_plan(MIB, 3).worker_bytes, 4 * MIB);
}
END_TEST

UNIT_TESTS("memory", the_least_limit_from_our_cgroup_up_to_the_root_counts,
           version_1_has_a_hierarchy_of_its_own, a_container_sees_a_part_of_the_hierarchy,
           nothing_to_read_is_no_limit, the_parts_add_up_to_the_limit,
           little_memory_has_few_workers)

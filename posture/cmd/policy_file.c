#include "posture/cmd/policy_file.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "posture/cmd/cmd.h"
#include "posture/judge_path.h"

struct reader {
    const char *path;
    FILE *file;
    struct settings *settings;
    unsigned line;
    unsigned errors;
    bool in_memory_trouble;
};

static void complain(struct reader *r, const char *what, const char *word)
{
    (void)fprintf(
        stderr, "posture: %s:%u: %s: %s\n", r->path, r->line, what, word);
    r->errors++;
}

/* inih tells of the first such line alone, and of none beside other errors. */
static bool is_no_line(const char *line)
{
    size_t start = strspn(line, " \t\r\n");

    /* What begins with a blank goes on with the value of the line before. */
    return start == 0 && line[0] != '\0' && strchr(";#[", line[0]) == NULL &&
           strpbrk(line, "=:") == NULL;
}

/* inih reads lines of a fixed size; a longer one would become two. */
static char *next_line(char *buf, int cap, void *stream)
{
    struct reader *r = stream;
    char *line = fgets(buf, cap, r->file);

    if (line == NULL)
        return NULL;
    r->line++;
    if (strchr(line, '\n') == NULL && feof(r->file) == 0)
        complain(r, "line too long", "at most 198 characters");
    if (is_no_line(line))
        complain(r, "no section, comment or key = value", "syntax");
    return line;
}

static int take(
    void *user, const char *section, const char *name, const char *value)
{
    struct reader *r = user;
    char buf[256];
    struct text why = text_over(buf, sizeof(buf));
    int index = settings_find(name);

    if (strcmp(section, "policy") != 0) {
        complain(r, "unknown section, expected [policy]", section);
        return 0;
    }
    if (index < 0) {
        complain(r, "unknown key", name);
        return 0;
    }
    switch (settings_set(r->settings, (size_t)index, value, &why)) {
    case SETTINGS_OK:
        return 1;
    case SETTINGS_TWICE:
        complain(r, "key given twice", name);
        return 0;
    case SETTINGS_BAD_VALUE:
        (void)fprintf(stderr, "posture: %s:%u: %s = %s: %s\n", r->path, r->line,
            name, value, why.ptr);
        r->errors++;
        return 0;
    case SETTINGS_UNKNOWN:
    case SETTINGS_NO_MEMORY:
        break;
    }
    r->in_memory_trouble = true;
    return 0;
}

/* Who can write the policy decides what is secure. */
static bool is_ours_alone(FILE *file, const char *path)
{
    struct stat st;

    if (fstat(fileno(file), &st) < 0 || !S_ISREG(st.st_mode)) {
        (void)fprintf(stderr, "posture: %s: not a regular file\n", path);
        return false;
    }
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0 ||
        (st.st_uid != 0 && st.st_uid != geteuid())) {
        (void)fprintf(stderr,
            "posture: %s: others can write this policy (owner %u, mode %04o); "
            "chmod go-w '%s', and let root or this user own it\n",
            path, (unsigned)st.st_uid, (unsigned)st.st_mode & 07777U, path);
        return false;
    }
    return true;
}

/* And who can put another in its place. */
static int check_place(const char *path)
{
    struct fact_directory *walk = calloc(1, sizeof(*walk));
    const struct fact_component *weak = NULL;

    if (walk == NULL)
        return EXIT_INTERNAL;
    facts_file(path, walk);
    weak = judge_path_weak_ancestor(walk, geteuid());
    if (weak != NULL) {
        (void)fprintf(stderr,
            "posture: %s: others can replace this policy: %s (owner %u, mode "
            "%04o); chmod go-w '%s', and let root or this user own it\n",
            path, weak->path, (unsigned)weak->uid,
            (unsigned)weak->mode & 07777U, weak->path);
    }
    free(walk);
    return weak == NULL ? 0 : EXIT_NOINPUT;
}

static int parse(struct reader *r)
{
    int line = ini_parse_stream(next_line, r, take, r);

    if (line != 0 && r->errors == 0 && !r->in_memory_trouble) {
        r->line = (unsigned)(line < 0 ? 0 : line);
        complain(r, "no section, comment or key = value", "syntax");
    }
    if (r->in_memory_trouble)
        return EXIT_INTERNAL;
    return r->errors > 0 ? EXIT_NOINPUT : 0;
}

int policy_file_read(const char *path, struct settings *settings)
{
    struct reader r = {.path = path, .settings = settings};
    int failed = 0;

    r.file = fopen(path, "re");
    if (r.file == NULL) {
        (void)fprintf(stderr, "posture: %s: ", path);
        perror(NULL);
        return EXIT_NOINPUT;
    }
    failed = is_ours_alone(r.file, path) ? check_place(path) : EXIT_NOINPUT;
    if (failed == 0)
        failed = parse(&r);
    (void)fclose(r.file);
    return failed;
}

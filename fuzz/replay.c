/* Run a fuzz target over directories of inputs, for builds without
 * libFuzzer.  usage: replay_TARGET DIRECTORY... */
#include <dirent.h>
#include <stdio.h>

#include "fuzz.h"

enum { INPUT_MAX = 1 << 20 };

static int run_file(const char *path)
{
    /* Exactly as large as the input, so that reading past it is noticed. */
    static uint8_t buf[INPUT_MAX];
    FILE *file = fopen(path, "rb");
    size_t len = 0;
    uint8_t *exact = NULL;

    if (file == NULL) {
        perror(path);
        return 1;
    }
    len = fread(buf, 1, sizeof(buf), file);
    (void)fclose(file);
    exact = malloc(len + (len == 0));
    if (exact == NULL)
        return 1;
    memcpy(exact, buf, len);
    (void)LLVMFuzzerTestOneInput(exact, len);
    free(exact);
    return 0;
}

static int run_directory(const char *path, unsigned *count)
{
    DIR *dir = opendir(path);
    int failed = dir == NULL;

    if (dir == NULL)
        perror(path);
    for (;;) {
        char name[1024];
        struct dirent *entry = dir == NULL ? NULL : readdir(dir);

        if (entry == NULL)
            break;
        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        failed |= run_file(name);
        (*count)++;
    }
    if (dir != NULL)
        (void)closedir(dir);
    return failed;
}

int main(int argc, char *argv[])
{
    unsigned count = 0;
    int failed = argc < 2;

    for (int i = 1; i < argc; i++)
        failed |= run_directory(argv[i], &count);
    (void)printf("%u inputs\n", count);
    return failed || count == 0;
}

/* private_file: may a file hold a secret of ours?  One rule for the posture
 * check and for whoever reads such files later. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct private_file {
    uint32_t owner;
    uint32_t mode;     /* permission bits, inode(7) */
    bool is_our_group; /* we are a member of its group */
};

/* Ours alone, or root's and for a group of ours to read; nobody executes it. */
bool private_file_is_fine(struct private_file file, uint32_t euid);

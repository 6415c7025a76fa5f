#include "base/private_file.h"

bool private_file_is_fine(struct private_file file, uint32_t euid)
{
    if (file.owner == euid)
        return (file.mode & 0177) == 0;
    return file.owner == 0 && (file.mode & 0137) == 0 &&
           ((file.mode & 040) == 0 || file.is_our_group);
}

// A file with a secret, named by a setting: read whole, bounded, and never quoted by a message.
#pragma once

#include "pg/guard.hpp"

namespace pulse::pg {

struct SecretFile {
    std::string text;     // wiped at the end of the scope
    std::string problem;  // empty: none

    SecretFile() = default;
    ~SecretFile();
    SecretFile(const SecretFile &) = delete;
    SecretFile &operator=(const SecretFile &) = delete;
};

// A relative path is one in the data directory. Without a path, and when it cannot be read, the problem is a sentence that begins with the
// setting's name and does not say where the file is. May raise when there are no descriptors left.
void read_secret_file(const char *setting, const char *path, SecretFile &to);

}  // namespace pulse::pg

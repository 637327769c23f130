// Reading by the backend's own descriptors.
#include "pg/secret_file.hpp"

#include <cstring>

namespace pulse::pg {

constexpr std::size_t kMostBytes = 64 * 1024;

SecretFile::~SecretFile() { explicit_bzero(text.data(), text.size()); }

void read_secret_file(const char *setting, const char *path, SecretFile &to) {
    if (path == nullptr || *path == '\0') {
        to.problem = std::string(setting) + " is not set";
        return;
    }
    to.text.resize(kMostBytes + 1);
    int problem = 0;
    std::size_t size = 0;
    const bool opened = call([&] {
        const int file = OpenTransientFile(path, O_RDONLY | PG_BINARY);
        if (file < 0) {
            problem = errno;
            return false;
        }
        ssize_t got = 0;
        while (size < to.text.size() && (got = ::read(file, to.text.data() + size, to.text.size() - size)) > 0)
            size += static_cast<std::size_t>(got);
        if (got < 0) problem = errno;
        CloseTransientFile(file);
        return true;
    });
    to.text.resize(size);
    if (!opened || problem != 0)
        to.problem = std::string("the file of ") + setting + " cannot be read: " + std::strerror(problem);
    else if (size > kMostBytes)
        to.problem = std::string("the file of ") + setting + " is longer than a secret";
}

}  // namespace pulse::pg

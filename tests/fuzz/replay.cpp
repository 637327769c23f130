// Runs a fuzz target over every file of a folder, without libFuzzer: the corpora as a unit test, with any compiler.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "check.hpp"

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    int files = 0;
    for (const auto &entry : std::filesystem::directory_iterator(argv[1])) {
        std::ifstream in(entry.path(), std::ios::binary);
        const std::string bytes{std::istreambuf_iterator<char>(in), {}};
        LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t *>(bytes.data()), bytes.size());
        ++files;
    }
    std::printf("%d inputs\n", files);
    return files > 0 ? 0 : 1;
}

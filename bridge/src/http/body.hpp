// Where a request's body ends: by its length, or by the chunks of RFC 9112 §7.1, read to the letter. Debian builds http_parser in its
// lenient form, which takes anything for the end of a line there; what a proxy in front reads otherwise is a second request to it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace bridge::http {

class BodyReader {
public:
    enum class State : std::uint8_t { more, complete, malformed, too_long };

    BodyReader() = default;
    static BodyReader of_length(std::uint64_t length);
    static BodyReader chunked(std::size_t max_extra);  // bytes that extensions and trailers may have, all together

    // Takes from `bytes` what belongs to the body and appends its content to `out`, which may grow to `max`. What is left in `bytes`
    // when it is complete comes behind the request.
    State read(std::string_view &bytes, std::string &out, std::size_t max);

private:
    enum class At : std::uint8_t {
        size,
        extension,
        size_end,
        data,
        data_end,
        data_end_2,
        line,
        trailer,
        trailer_end,
        last_end,
        over,
        length
    };
    State step(char c);

    std::uint64_t left_ = 0;  // of the body, or of the chunk
    std::size_t extra_ = 0, max_extra_ = 0;
    unsigned digits_ = 0;
    At at_ = At::over;
};

}  // namespace bridge::http

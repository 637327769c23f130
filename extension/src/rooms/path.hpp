// Paths of HTTP requests as they are registered: `/api/orders/{id}/stream`. A segment is literal text or a whole {name}, which
// stands for one or more bytes without '/'. Paths come here percent-decoded.
// Pure: compiled into the unit tests too.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pulse::rooms {

class Path {
public:
    using Params = std::vector<std::pair<std::string, std::string>>;  // in the order of the path

    struct Parsed;
    static Parsed parse(std::string_view text);

    // The values of the variables; nullopt when the request is for another path.
    std::optional<Params> match(std::string_view path) const;

    // Does this one decide when both match? Seen from the left, text before a variable. Neither: they are alike.
    bool more_specific(const Path &other) const;
    // The same requests match both, whatever their variables are called.
    bool alike(const Path &other) const;

private:
    struct Segment {
        std::string text;  // or the variable's name
        bool variable = false;
    };
    std::vector<Segment> segments_;
};

struct Path::Parsed {
    std::optional<Path> path;
    std::string error;  // why not
};

// Paths that the bridge itself answers, with all that is below them: nothing is registered there.
bool path_of_bridge(std::string_view path);
extern const char *const kBridgePathList;

}  // namespace pulse::rooms

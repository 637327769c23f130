// The hub's door to one socket; transport implements it, tests fake it. All calls come from the loop thread, outside the hub's own
// loops over members, at the end of a loop turn or from Hub::writable().
#pragma once

#include <string_view>

#include "base/error.hpp"

namespace bridge::hub {

class Sink {
public:
    enum class Write {
        taken,   // all of it is with the kernel or in the library's own partial buffer
        choked,  // nothing was taken; the hub keeps it and calls request_writable()
        failed,  // the socket is dead; the hub drops what is queued and waits for closed()
    };

    virtual ~Sink() = default;

    // A write() follows very soon, after those of a few other sinks: reads what it will need, so that the caches have it.
    virtual void write_soon() {}

    // Whole frames, one or many joined; valid only during the call. Must not call back into the hub.
    virtual Write write(std::string_view bytes) = 0;

    // Ask for one Hub::writable() call when the socket takes bytes again.
    virtual void request_writable() = 0;

    // End the connection with the close code of `why`; asynchronously. What is Hub::waiting() goes out before, through writable(),
    // within a bound of the sink's own, unless nobody reads there any more. The hub is told by Hub::closed() afterwards.
    virtual void close(Errc why) = 0;
};

}  // namespace bridge::hub

// pulse.sampled(key, every): one call in so many is true, over all backends.
#include "ephemeral/memory.hpp"
#include "pg/text.hpp"

namespace pulse::ephemeral {

static bool sampled(std::string_view key, int32 every) {
    if (every < 1)
        pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, "every is " + std::to_string(every), {},
                 "pulse.sampled(key, 10) is true for one call in ten.");
    require_memory("cannot sample");
    return take_sample(key_of(key), static_cast<std::uint64_t>(every));
}

}  // namespace pulse::ephemeral

PULSE_FN(pulse_sampled) { return BoolGetDatum(pulse::ephemeral::sampled(pulse::pg::view(PG_GETARG_DATUM(0)), PG_GETARG_INT32(1))); }

// job:enqueued, job:started, job:completed, job:retry, job:discarded, job:cancelled.
#include "queue/events.hpp"

#include "json/slice.hpp"
#include "names/room_value.hpp"
#include "queue/errors.hpp"

namespace pulse::queue {

void publish_change(std::string_view queue, const char *event, int64 id, std::string_view kind, const char *state, int attempt,
                    std::string_view error) {
    static pg::Plan publish("SELECT pulse.publish(room => $1, event => $2, payload => $3)");
    std::string room = "queue:";
    names::append_room_value(room, queue);
    if (room.size() > 255) return;  // no room has such a name
    std::string payload = "{\"jobId\":\"" + std::to_string(id) + "\",\"queue\":";
    json::append_quoted(payload, queue);
    payload += ",\"kind\":";
    json::append_quoted(payload, kind);
    payload += std::string(",\"state\":\"") + state + "\",\"attempt\":" + std::to_string(attempt) + ",\"at\":\"" +
               iso_time(GetCurrentTimestamp()) + '"';
    if (!error.empty()) {
        payload += ",\"error\":";
        json::append_quoted(payload, short_error(error));
    }
    payload += '}';
    publish.run({pg::param_text(room), pg::param_text(std::string_view(event)), pg::param_json(payload)});
}

void try_publish_change(std::string_view queue, const char *event, int64 id, std::string_view kind, const char *state, int attempt,
                        std::string_view error) {
    const auto failed = pg::subtransaction([&] { publish_change(queue, event, id, kind, state, attempt, error); });
    if (failed) pg::log_swallowed("publishing a job's change", *failed);
}

}  // namespace pulse::queue

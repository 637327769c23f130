// The table of answers.
#include "handle/answers.hpp"

#include "handle/decide.hpp"
#include "json/slice.hpp"

namespace pulse::handle {

// `{requestId}:{step}` over the members of the first argument. nullopt when one is missing or null.
static std::optional<std::string> fill(const std::string &key_template, std::string_view args) {
    const auto elements = json::elements(args);
    if (!elements || elements->empty()) return std::nullopt;
    const auto members = json::members(elements->front());
    if (!members) return std::nullopt;
    std::string key;
    for (std::size_t i = 0; i < key_template.size(); ++i) {
        if (key_template[i] != '{') {
            key += key_template[i];
            continue;
        }
        const std::size_t end = key_template.find('}', i);  // there: pulse.on checks it
        const auto value = json::find(*members, key_template.substr(i + 1, end - i - 1));
        if (!value || json::kind(*value) == json::Kind::kNull) return std::nullopt;
        key += json::compact(*value);
        i = end;
    }
    return key;
}

// Now and then a call takes away a few answers that are older than the setting; nobody waits for it.
static void forget_old() {
    static pg::Plan plan("DELETE FROM _pulse.answers a WHERE a.ctid = ANY (ARRAY(SELECT o.ctid FROM _pulse.answers o "
                         "WHERE o.at < pg_catalog.clock_timestamp() - pulse.setting('pulse', 'idempotency_keep')::interval "
                         "ORDER BY o.at LIMIT 256 FOR UPDATE SKIP LOCKED))");
    static unsigned calls = 0;
    if (++calls % 64 == 0) plan.run();
}

std::optional<Answer> Answer::claim(Oid owner, const std::string &key_template, std::string_view args, const std::string &user_id,
                                    const std::string &name, const std::string &event) {
    static pg::Plan take("INSERT INTO _pulse.answers (user_id, namespace, event, key) VALUES ($1, $2, $3, $4) "
                         "ON CONFLICT (user_id, namespace, event, key) DO NOTHING");
    static pg::Plan read(
        "SELECT a.ack, a.effects FROM _pulse.answers a WHERE a.user_id = $1 AND a.namespace = $2 AND a.event = $3 AND a.key = $4");
    auto key = fill(key_template, args);
    if (!key) return std::nullopt;
    if (key->size() > 1024) pg::fail(kBadRequest, "the idempotency key is longer than 1024 bytes");
    Answer answer;
    answer.user_id_ = user_id;
    answer.name_ = name;
    answer.event_ = event;
    answer.key_ = std::move(*key);
    pg::OwnerScope scope(owner);
    pg::SpiSession spi;
    const std::initializer_list<pg::Plan::Param> id = {pg::param_text(user_id), pg::param_text(name), pg::param_text(event),
                                                       pg::param_text(answer.key_)};
    if (within_deadline("waiting for a call with the same key", [&] { return take.run(id); }) == 0 && read.run(id) > 0) {
        const pg::Row row = pg::result_row();
        if (!row.is_null(1)) {
            answer.ack_ = std::string(row.text(1));
            answer.effects_ = std::string(row.text(2));
        }
    }
    return answer;
}

void Answer::store(Oid owner, const std::string &ack, const std::string &effects) const {
    static pg::Plan write("UPDATE _pulse.answers SET ack = $5, effects = $6, at = pg_catalog.clock_timestamp() "
                          "WHERE user_id = $1 AND namespace = $2 AND event = $3 AND key = $4");
    pg::OwnerScope scope(owner);
    pg::SpiSession spi;
    write.run({pg::param_text(user_id_), pg::param_text(name_), pg::param_text(event_), pg::param_text(key_), pg::param_json(ack),
               pg::param_json(effects)});
    forget_old();
}

void Answer::rejoin(Oid owner, Effects &effects) const {
    for (const std::string_view effect : json::elements(effects_).value_or(std::vector<std::string_view>{})) {
        const auto members = json::members(effect);
        if (!members || members->size() != 1) continue;
        if (members->front().key == "attach") {
            effects.add(std::string(effect));
        } else if (members->front().key == "leave") {
            effects.leave(json::unescape(members->front().value).value_or(""));
        } else if (members->front().key == "join") {
            std::vector<Request> requests(1);
            requests[0].operation = "join";
            requests[0].room = json::unescape(members->front().value).value_or("");
            requests[0].context = auth::current();
            decide_all(owner, requests);
            if (requests[0].allowed) effects.join(requests[0].room);
        }
    }
}

}  // namespace pulse::handle

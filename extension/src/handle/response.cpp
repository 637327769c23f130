// pulse.http_response, and what it may say.
#include "handle/response.hpp"

#include <algorithm>

#include "json/slice.hpp"
#include "names/media_type.hpp"
#include "names/rules.hpp"
#include "pg/text.hpp"

namespace pulse::handle {

Response *&Response::slot() {
    static Response *current = nullptr;
    return current;
}

static void on_subtransaction(SubXactEvent event, SubTransactionId id, SubTransactionId, void *) {
    if (event == SUBXACT_EVENT_ABORT_SUB && Response::current() != nullptr)
        pg::callback("the response of a subtransaction rolled back", [=] { Response::current()->forget_since(id); });
}

Response::Response() : outer_(slot()) {
    static bool registered = false;
    if (!registered) {
        pg::call([] { RegisterSubXactCallback(on_subtransaction, nullptr); });
        registered = true;
    }
    slot() = this;
}
Response::~Response() { slot() = outer_; }

Response *Response::current() { return slot(); }

// Ids grow, and what started after `id` and is over by now was inside it.
void Response::forget_since(SubTransactionId id) {
    while (!said_.empty() && said_.back().id >= id) said_.pop_back();
}

namespace {

[[noreturn]] void refuse(const std::string &message, std::string_view hint = {}) {
    pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, message, {}, hint);
}

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(),
                   [](char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c); });
    return out;
}

void check_name(const std::string &name) {
    static constexpr std::string_view kToken = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz";
    static constexpr std::string_view kOwn[] = {"connection", "content-length", "date",    "keep-alive",       "proxy-connection",
                                                "te",         "trailer",        "upgrade", "transfer-encoding"};
    const std::string small = lower(name);
    if (small.empty() || small.find_first_not_of(kToken) != std::string::npos)
        refuse("\"" + names::excerpt(name) + "\" is no name of an HTTP header");
    if (std::find(std::begin(kOwn), std::end(kOwn), small) != std::end(kOwn))
        refuse("header \"" + name + "\" is set by the bridge itself", "It belongs to the connection, not to the answer.");
    if (small.starts_with("access-control-"))
        refuse("header \"" + name + "\" is set by the bridge itself",
               "Which origins may read answers says the bridge's setting cors-origin.");
}

// A value as JSON string: strings as they are, numbers and booleans as they are written.
std::string value_of(const std::string &name, std::string_view json) {
    std::optional<std::string> text;
    switch (json::kind(json)) {
        case json::Kind::kString: text = json::unescape(json); break;
        case json::Kind::kNumber:
        case json::Kind::kBoolean: text = std::string(json::trim(json)); break;
        default: break;
    }
    if (!text) refuse("header \"" + name + "\" is neither text nor a number nor true or false, nor an array of them");
    if (std::any_of(text->begin(), text->end(), [](unsigned char c) { return (c < 0x20 && c != '\t') || c > 0x7e; }))
        refuse("header \"" + name + "\" has a character that headers cannot hold", "Headers hold printable ASCII; encode anything else.");
    return json::quoted(*text);
}

// Checked, in one form.
Response::Said headers_of(std::string_view given) {
    constexpr std::size_t kMost = 100;
    const auto members = json::members(given);
    if (!members) refuse("headers is no JSON object", "It is an object such as {\"Location\": \"/api/orders/7\"}.");
    if (members->size() > kMost || given.size() > names::kMaxHeaders)
        pg::fail(ERRCODE_PROGRAM_LIMIT_EXCEEDED, "an answer has at most 100 headers of " + std::to_string(names::kMaxHeaders) + " bytes");
    Response::Said said{InvalidSubTransactionId, 0, "{", false};
    for (const json::Member &member : *members) {
        check_name(member.key);
        std::string value;
        if (const auto elements = json::elements(member.value)) {
            for (const std::string_view element : *elements) value += (value.empty() ? "" : ",") + value_of(member.key, element);
            value = "[" + value + "]";
        } else {
            value = value_of(member.key, member.value);
            if (lower(member.key) == "content-type") said.text = !names::is_json_type(*json::unescape(value));
        }
        if (said.headers.size() > 1) said.headers += ',';
        said.headers += json::quoted(member.key) + ":" + value;
    }
    said.headers += '}';
    return said;
}

}  // namespace

}  // namespace pulse::handle

using namespace pulse;

PULSE_FN(pulse_http_response) {
    handle::Response *response = handle::Response::current();
    if (response == nullptr)
        pg::fail(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "pulse.http_response works only in a route", {},
                 "Routes are registered with pulse.route and run by the bridge.");
    if (pg::arg_is_null(fcinfo, 0)) pg::fail(ERRCODE_NULL_VALUE_NOT_ALLOWED, "status is null");
    const int32 status = DatumGetInt32(pg::arg(fcinfo, 0));
    const bool no_body = pg::arg_is_null(fcinfo, 1);
    if (status < 200 || status > 599) handle::refuse("status " + std::to_string(status) + " is no answer", "Accepted are 200 to 599.");
    if ((status == 204 || status == 304) && !no_body) handle::refuse("an answer with status " + std::to_string(status) + " has no body");
    handle::Response::Said said = handle::headers_of(pg::arg_is_null(fcinfo, 2) ? "{}" : pg::view(pg::arg(fcinfo, 2)));
    said.id = GetCurrentSubTransactionId();
    said.status = status;
    response->say(std::move(said));
    return no_body ? pg::null_result(fcinfo) : pg::arg(fcinfo, 1);
}

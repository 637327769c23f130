// A delivery channel is two pure functions: build(job) → a request or at once an outcome, judge(response) → an outcome. What they share
// is here. They know no sockets, no tables and no clock; the HTTP worker calls them. What comes from outside is text of strangers:
// it is bounded, made printable, and never trusted to be JSON.
#pragma once

#include "queue/attempt.hpp"
#include "queue/object.hpp"

#include <cstddef>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

namespace pulse::queue {

struct Request {
    std::string method = "POST", url, body;
    std::vector<std::string> headers;  // "Name: value"
    std::vector<std::string> secrets;  // what of it must not be seen again in an answer that is kept
    bool guarded = false;              // only to addresses that webhooks may reach
};

struct Response {
    int status = 0;  // 0: no answer came
    std::string body;
    bool whole = true;                       // false: the body ended early, or was more than is taken
    std::optional<std::string> retry_after;  // the header
    std::string failure;                     // without a status: why
    bool sent = false;                       // something of the request may have arrived
    bool refused = false;                    // it was not sent: its address may not be reached
};

using Built = std::variant<Request, Outcome>;

Outcome completed(std::string result_json);
Outcome retry(std::string why, std::optional<std::int64_t> after_ms = {});
Outcome discard(std::string why, std::optional<std::string> result_json = {});

// What every channel answers alike: no answer, 408, 429 and 5xx are tried again, when the other side says when, then.
std::optional<Outcome> judge_transport(const Response &response, std::string_view who, std::int64_t now);
// Retry-After as milliseconds from now: seconds or a date. nullopt: none, or none that can be read.
std::optional<std::int64_t> retry_after_ms(const Response &response, std::int64_t now);

// Strangers' text as part of ours: one line of valid UTF-8 without control characters, at most `most` bytes.
std::string words(std::string_view foreign, std::size_t most = 300);
// The same as JSON. A body that is JSON (and no more than `most` bytes) stays JSON, anything else becomes a string, "" null.
std::string as_json(std::string_view foreign, std::size_t most);
// What is wrong with arguments that have a member which the channel does not know; empty: nothing.
std::string unknown_member(const Object &args, std::span<const std::string_view> known);
// Takes the request's secrets out of the answer.
void redact(Response &response, const std::vector<std::string> &secrets);

// One line of HTTP: no control characters that would begin another.
bool fits_header(std::string_view text);
std::string form_encoded(std::string_view text);                      // everything but letters, digits and -._~ as %XX
std::string with_path(std::string_view base, std::string_view path);  // exactly one slash between them

}  // namespace pulse::queue

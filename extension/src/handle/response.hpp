// The status and the headers that a route asked for by pulse.http_response. They are kept here and not in the JSON that a route returns, so
// that no JSON of a client can forge them. What a rolled-back savepoint asked for is forgotten.
#pragma once

#include "pg/guard.hpp"

namespace pulse::handle {

class Response {
public:
    Response();
    ~Response();
    Response(const Response &) = delete;
    Response &operator=(const Response &) = delete;

    struct Said {
        SubTransactionId id;
        int status;
        std::string headers;  // JSON object: name → value or array of values
        bool text;            // a body that is a JSON string goes out as its text
    };
    void say(Said said) { said_.push_back(std::move(said)); }
    const Said *last() const { return said_.empty() ? nullptr : &said_.back(); }
    void forget_since(SubTransactionId id);

    static Response *current();  // null outside of routes

private:
    friend class NoEffects;
    static Response *&slot();
    std::vector<Said> said_;
    Response *outer_;
};

}  // namespace pulse::handle

// Mints the HS256 tokens with which the load client's sockets identify themselves. Called once a socket, before the
// connection is made, so that no signing happens inside a measurement.
#pragma once

#include <string>
#include <string_view>

namespace bench {

// `claims` is a JSON object as text; it is signed as it is.
std::string sign_hs256(std::string_view claims, std::string_view secret);

// {"sub":user,"userId":user,"iat":now,"exp":now + 6 h}, with the members of `more` (`"role":"x"`) when not empty.
std::string claims_for(const std::string &user, const std::string &more);

}  // namespace bench

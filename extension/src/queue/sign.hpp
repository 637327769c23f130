// Signatures and the base64 that they travel in, by OpenSSL. Pure.
#pragma once

#include "json/base64.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace pulse::queue {

using json::base64;
using json::base64_decoded;
using json::base64_url;
std::string hmac_sha256(std::string_view key, std::string_view text);  // raw bytes
std::string hmac_sha1(std::string_view key, std::string_view text);
// RS256 by a private key in PEM; nullopt: it is no RSA key.
std::optional<std::string> rs256(std::string_view private_key, std::string_view text);
bool same_bytes(std::string_view a, std::string_view b);  // takes as long whether they are or not

}  // namespace pulse::queue

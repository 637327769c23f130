#include "auth/jwks.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/base64.hpp"
#include "base/json.hpp"

namespace bridge::auth {

namespace {

constexpr std::size_t kMostKeys = 32;  // a token without a kid is tried with each

std::string text_of(const json::Value &jwk, const char *member) {
    const auto found = jwk.find(member);
    return found != jwk.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Error ignored(std::string why) { return {Errc::invalid, std::move(why), {}}; }

// Also a member that is there but of another type is not `wanted`.
bool is_or_absent(const json::Value &jwk, const char *member, std::string_view wanted) {
    return !jwk.contains(member) || text_of(jwk, member) == wanted;
}

bool is_for_signatures(const json::Value &jwk) {
    if (!is_or_absent(jwk, "use", "sig")) return false;
    const auto operations = jwk.find("key_ops");
    if (operations == jwk.end()) return true;
    return operations->is_array() &&
           std::any_of(operations->begin(), operations->end(), [](const json::Value &one) { return one == "verify"; });
}

Result<Key> read(const json::Value &jwk, Secrets secrets) {
    if (!jwk.is_object()) return ignored("no JSON object");
    if (!is_for_signatures(jwk)) return ignored("not for signatures");
    if (jwk.contains("kid") && !jwk["kid"].is_string()) return ignored("its kid is no string");
    std::string kid = text_of(jwk, "kid");
    const std::string type = text_of(jwk, "kty"), curve = text_of(jwk, "crv");
    const auto named = algorithm_named(text_of(jwk, "alg"));
    if (jwk.contains("alg") && !named) return ignored("its algorithm is not taken here");
    const auto pinned = [&](Result<Key> key) -> Result<Key> {
        if (key && named && key->algorithm() != *named) return ignored("its algorithm is not that of its type");
        return key;
    };
    if (type == "RSA") return pinned(Key::rsa(text_of(jwk, "n"), text_of(jwk, "e"), std::move(kid)));
    if (type == "EC" && curve == "P-256") return pinned(Key::p256(text_of(jwk, "x"), text_of(jwk, "y"), std::move(kid)));
    if (type == "OKP" && curve == "Ed25519") return pinned(Key::ed25519(text_of(jwk, "x"), std::move(kid)));
    if (type == "oct" && secrets == Secrets::ignored) return ignored("a secret that everybody can read is none");
    if (type == "oct") {
        if (!named) return ignored("a secret needs its algorithm: HS256, HS384 or HS512");
        const auto bytes = base64::decode_url(text_of(jwk, "k"));
        if (!bytes) return ignored("its secret is no base64url");
        return Key::secret(*bytes, *named, std::move(kid));
    }
    return ignored("its type or curve is not taken here");
}

}  // namespace

Result<Jwks> parse_jwks(std::string_view text, Secrets secrets) {
    const auto document = json::parse(text, {.max_bytes = kMaxJwksBytes, .max_depth = 8, .refuse_duplicate_keys = true});
    if (!document || !document->is_object() || !document->contains("keys") || !(*document)["keys"].is_array()) {
        return Error{Errc::invalid, "not a JWKS: no JSON object with an array \"keys\"", {}};
    }
    Jwks out;
    for (const json::Value &jwk : (*document)["keys"]) {
        auto key = read(jwk, secrets);
        if (key && out.keys.size() < kMostKeys) {
            out.keys.push_back(std::move(*key));
        } else {
            out.ignored.push_back(key ? "more than " + std::to_string(kMostKeys) + " keys" : key.error().detail);
        }
    }
    if (out.keys.empty()) {
        return Error{
            Errc::invalid, "no key of the JWKS can be used" + (out.ignored.empty() ? std::string() : ": " + out.ignored.front()), {}};
    }
    return out;
}

}  // namespace bridge::auth

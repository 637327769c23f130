// OpenSSL 3, used so that an idle connection is small (buffers go back after each record) and that no call may block or ask a terminal.
#include "net/tls.hpp"

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>

namespace bridge::net {

namespace {

// Forward secrecy and authenticated encryption; TLS 1.3 has nothing else.
constexpr const char *kCiphers12 = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr unsigned char kAlpn[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

// What OpenSSL said, in words: the first error is the cause, the others say who came across it. Its queue is empty afterwards.
std::string openssl_error() {
    const unsigned long code = ERR_peek_error();
    ERR_clear_error();
    if (code == 0) return "unknown error";
    // Errors of system calls carry errno instead of a reason of OpenSSL's own.
    const char *reason = ERR_SYSTEM_ERROR(code) ? std::strerror(ERR_GET_REASON(code)) : ERR_reason_error_string(code);
    return reason != nullptr ? reason : "error " + std::to_string(code);
}

// OpenSSL would ask the terminal for the passphrase of a key.
int no_passphrase(char *, int, int, void *) noexcept { return 0; }

int choose_protocol(SSL *, const unsigned char **out, unsigned char *size, const unsigned char *offered, unsigned offered_size,
                    void *) noexcept {
    unsigned char *chosen = nullptr;
    if (SSL_select_next_proto(&chosen, size, kAlpn, sizeof kAlpn, offered, offered_size) != OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;  // a client that speaks only h2 hears so at once
    }
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

TlsContext::Time time_of(const ASN1_TIME *text) {
    std::tm parts{};
    if (text == nullptr || ASN1_TIME_to_tm(text, &parts) != 1) return {};
    return std::chrono::system_clock::from_time_t(timegm(&parts));
}

std::string day_of(TlsContext::Time time) {
    const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char text[32];
    return std::string(text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts));
}

Result<void> check_time(TlsContext::Time from, TlsContext::Time until, TlsContext::Time now, const std::string &file) {
    if (now < from)
        return Error{Errc::invalid, "the certificate in '" + file + "' is valid only from " + day_of(from), "look at the clock"};
    if (now >= until) return Error{Errc::invalid, "the certificate in '" + file + "' expired at " + day_of(until), "renew it"};
    return {};
}

}  // namespace

// ---- one connection

void TlsSession::Free::operator()(ssl_st *ssl) const { SSL_free(ssl); }

TlsSession::TlsSession(ssl_ctx_st *context, int fd) : ssl_(SSL_new(context)) {
    dead_ = ssl_ == nullptr || SSL_set_fd(ssl_.get(), fd) != 1;
    if (!dead_) SSL_set_accept_state(ssl_.get());
}

TlsSession::~TlsSession() = default;

TlsSession::Outcome TlsSession::outcome_of(int result) {
    switch (SSL_get_error(ssl_.get(), result)) {
        case SSL_ERROR_WANT_READ: return {Outcome::want_read};
        case SSL_ERROR_WANT_WRITE: return {Outcome::want_write};
        case SSL_ERROR_ZERO_RETURN: return {Outcome::closed};
        case SSL_ERROR_SYSCALL: {
            const int error = errno;
            failure_ = error != 0 ? std::strerror(error) : "connection lost";
            break;
        }
        default: failure_ = openssl_error();
    }
    ERR_clear_error();
    dead_ = true;  // no call may follow, not even a goodbye
    return {Outcome::failed};
}

TlsSession::Outcome TlsSession::read(char *into, std::size_t size) {
    if (dead_) return {Outcome::failed};
    ERR_clear_error();
    errno = 0;
    std::size_t bytes = 0;
    if (const int result = SSL_read_ex(ssl_.get(), into, size, &bytes); result != 1) return outcome_of(result);
    return {Outcome::done, bytes};
}

TlsSession::Outcome TlsSession::write(std::string_view bytes) {
    if (dead_) return {Outcome::failed};
    std::size_t taken = 0;
    while (taken < bytes.size()) {  // one record at a time
        ERR_clear_error();
        errno = 0;
        std::size_t some = 0;
        if (const int result = SSL_write_ex(ssl_.get(), bytes.data() + taken, bytes.size() - taken, &some); result != 1) {
            Outcome outcome = outcome_of(result);
            outcome.bytes = taken;
            return outcome;
        }
        taken += some;
    }
    return {Outcome::done, taken};
}

bool TlsSession::pending() const { return !dead_ && SSL_pending(ssl_.get()) > 0; }

bool TlsSession::established() const { return ssl_ != nullptr && SSL_is_init_finished(ssl_.get()) == 1; }

std::string TlsSession::failure() const { return failure_; }

void TlsSession::say_goodbye() {
    if (dead_ || !established()) return;
    dead_ = true;
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
    ERR_clear_error();
}

// ---- certificate and key

struct TlsContext::Loaded {
    Handle context;
    Time valid_from, expires_at;
};

void TlsContext::Free::operator()(ssl_ctx_st *context) const { SSL_CTX_free(context); }

TlsContext::TlsContext(TlsOptions options) : options_(std::move(options)) {}

TlsContext::~TlsContext() = default;

Result<TlsContext::Loaded> TlsContext::read_files(const TlsOptions &options) {
    ERR_clear_error();
    Handle context(SSL_CTX_new(TLS_server_method()));
    if (!context) return Error{Errc::internal, "OpenSSL does not start: " + openssl_error()};
    SSL_CTX *ctx = context.get();
    SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
    SSL_CTX_set_min_proto_version(ctx, options.min_version == TlsOptions::Version::v1_2 ? TLS1_2_VERSION : TLS1_3_VERSION);
    SSL_CTX_set_cipher_list(ctx, kCiphers12);
    // An end without close_notify is an end: what we read says its own length.
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    // Tickets let a client that comes back skip the key exchange; nothing is kept here for them.
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(ctx, 1);
    SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, nullptr);

    if (SSL_CTX_use_certificate_chain_file(ctx, options.cert_file.c_str()) != 1) {
        return Error{Errc::invalid, "cannot read a certificate from '" + options.cert_file + "': " + openssl_error(),
                     "a PEM file: the server's certificate first, then those between it and the root"};
    }
    if (SSL_CTX_use_PrivateKey_file(ctx, options.key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
        // The certificate is there, so a key of another pair is noticed here.
        const bool other = ERR_GET_LIB(ERR_peek_last_error()) == ERR_LIB_X509;
        const std::string why = openssl_error();
        if (other) {
            return Error{Errc::invalid,
                         "the key in '" + options.key_file + "' does not belong to the certificate in '" + options.cert_file + "'",
                         "give the pair that was issued together"};
        }
        return Error{Errc::invalid, "cannot read a private key from '" + options.key_file + "': " + why,
                     "a PEM file without passphrase that the bridge's user may read"};
    }
    const X509 *certificate = SSL_CTX_get0_certificate(ctx);
    const Time from = time_of(X509_get0_notBefore(certificate)), until = time_of(X509_get0_notAfter(certificate));
    return Loaded{std::move(context), from, until};
}

Result<std::unique_ptr<TlsContext>> TlsContext::load(TlsOptions options) {
    BRIDGE_TRY(loaded, read_files(options));
    std::unique_ptr<TlsContext> context(new TlsContext(std::move(options)));
    context->context_ = std::move(loaded.context);
    context->valid_from_ = loaded.valid_from;
    context->expires_at_ = loaded.expires_at;
    return context;
}

Result<void> TlsContext::reload(Time now) {
    BRIDGE_TRY(loaded, read_files(options_));
    BRIDGE_CHECK(check_time(loaded.valid_from, loaded.expires_at, now, options_.cert_file));
    context_ = std::move(loaded.context);  // sessions hold the old one as long as they live
    valid_from_ = loaded.valid_from;
    expires_at_ = loaded.expires_at;
    return {};
}

Result<void> TlsContext::valid_at(Time now) const { return check_time(valid_from_, expires_at_, now, options_.cert_file); }

std::unique_ptr<TlsSession> TlsContext::session(int fd) const { return std::make_unique<TlsSession>(context_.get(), fd); }

}  // namespace bridge::net

// TLS for accepted connections: TLS 1.3 (1.2 by setting), ALPN http/1.1, the certificate exchanged while connections live. OpenSSL stays
// in tls.cpp. A session reads and writes one non-blocking descriptor that somebody else owns; the handshake happens inside read() and
// write(), so a Stream knows nothing of it.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"

struct ssl_st;
struct ssl_ctx_st;

namespace bridge::net {

struct TlsOptions {
    enum class Version { v1_2, v1_3 };

    std::string cert_file;  // PEM: the server's certificate, then those between it and the root
    std::string key_file;   // PEM, without passphrase
    Version min_version = Version::v1_3;
};

class TlsSession {
public:
    struct Outcome {
        enum State {
            done,        // read: `bytes` of them are here, more may be; write: all were taken
            want_read,   // call again with the same bytes when the descriptor is readable
            want_write,  // … when it is writable. Of a write() `bytes` were taken; the next one begins with the rest of the very same ones
            closed,      // the peer will send nothing more
            failed,      // the connection is dead
        };
        State state = failed;
        std::size_t bytes = 0;
    };

    TlsSession(ssl_ctx_st *context, int fd);  // made by TlsContext
    ~TlsSession();                            // says nothing to the peer
    TlsSession(const TlsSession &) = delete;
    TlsSession &operator=(const TlsSession &) = delete;

    Outcome read(char *into, std::size_t size);
    Outcome write(std::string_view bytes);
    // Decrypted bytes wait for read(): the descriptor does not become readable for them.
    bool pending() const;
    // Tells the peer that nothing follows (close_notify), as far as the kernel takes it now. Before the descriptor is closed.
    void say_goodbye();

    bool established() const;     // the handshake is over
    std::string failure() const;  // why it failed, for the log

private:
    Outcome outcome_of(int result);

    struct Free {
        void operator()(ssl_st *ssl) const;
    };
    std::unique_ptr<ssl_st, Free> ssl_;
    std::string failure_;
    bool dead_ = false;
};

class TlsContext {
public:
    using Time = std::chrono::system_clock::time_point;

    // Reads the files. Every error names the file, and says what to do.
    static Result<std::unique_ptr<TlsContext>> load(TlsOptions options);
    ~TlsContext();
    TlsContext(const TlsContext &) = delete;
    TlsContext &operator=(const TlsContext &) = delete;

    // Reads the files again, for the sessions from now on; those that live keep what they have. When anything is wrong with the files,
    // also a certificate that is not valid at `now`, the old ones stay.
    Result<void> reload(Time now);

    // Is the certificate valid at this time? It is loaded even when not: clients then refuse it, not the server.
    Result<void> valid_at(Time now) const;
    Time expires_at() const { return expires_at_; }

    // For a descriptor just accepted. When memory is short its first call fails.
    std::unique_ptr<TlsSession> session(int fd) const;

private:
    explicit TlsContext(TlsOptions options);

    struct Free {
        void operator()(ssl_ctx_st *context) const;
    };
    using Handle = std::unique_ptr<ssl_ctx_st, Free>;
    struct Loaded;
    static Result<Loaded> read_files(const TlsOptions &options);

    TlsOptions options_;
    Handle context_;
    Time valid_from_{}, expires_at_{};
};

}  // namespace bridge::net

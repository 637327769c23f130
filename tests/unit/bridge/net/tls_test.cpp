// A session of ours and a client of OpenSSL's on the two ends of a socketpair, in one thread.
#include "net/tls.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <string>

#include "certificate.hpp"

namespace bridge::net {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using Outcome = TlsSession::Outcome;

const auto kNow = std::chrono::system_clock::now();

class Client {
public:
    explicit Client(int fd, int highest = TLS1_3_VERSION, std::string alpn = {}) : fd_(fd), context_(SSL_CTX_new(TLS_client_method())) {
        SSL_CTX_set_max_proto_version(context_, highest);
        ssl_ = SSL_new(context_);
        if (!alpn.empty()) {
            alpn.insert(alpn.begin(), static_cast<char>(alpn.size()));
            SSL_set_alpn_protos(ssl_, reinterpret_cast<const unsigned char *>(alpn.data()), static_cast<unsigned>(alpn.size()));
        }
        SSL_set_fd(ssl_, fd);
        SSL_set_connect_state(ssl_);
    }
    ~Client() {
        SSL_free(ssl_);
        SSL_CTX_free(context_);
        close(fd_);
    }
    Client(const Client &) = delete;
    Client &operator=(const Client &) = delete;

    int handshake() { return SSL_do_handshake(ssl_); }
    int write(std::string_view bytes) { return SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size())); }
    std::string read() {
        char buffer[65536];
        const int size = SSL_read(ssl_, buffer, sizeof buffer);
        return {buffer, static_cast<std::size_t>(std::max(size, 0))};
    }
    bool told_goodbye() {
        char byte;
        return SSL_read(ssl_, &byte, 1) <= 0 && SSL_get_error(ssl_, 0) == SSL_ERROR_ZERO_RETURN;
    }
    void say_goodbye() { SSL_shutdown(ssl_); }
    long serial() {
        X509 *peer = SSL_get1_peer_certificate(ssl_);
        const long value = ASN1_INTEGER_get(X509_get0_serialNumber(peer));
        X509_free(peer);
        return value;
    }
    std::string version() { return SSL_get_version(ssl_); }
    std::string alpn() {
        const unsigned char *name = nullptr;
        unsigned size = 0;
        SSL_get0_alpn_selected(ssl_, &name, &size);
        return {reinterpret_cast<const char *>(name), size};
    }

private:
    int fd_;
    SSL_CTX *context_;
    SSL *ssl_;
};

class Tls : public testing::Test {
protected:
    Tls() {
        std::signal(SIGPIPE, SIG_IGN);
        files.write(make_pair(1));
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends);
        const int small = 16384;
        setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    }
    ~Tls() override { close(ends[0]); }

    void load(TlsOptions::Version least = TlsOptions::Version::v1_3) {
        auto loaded = TlsContext::load({files.certificate(), files.key(), least});
        ASSERT_TRUE(loaded) << loaded.error().detail;
        context = std::move(*loaded);
        session = context->session(ends[0]);
    }
    // Ends when the server's side is done, or one of them failed.
    Outcome::State handshake(Client &client) {
        for (int turn = 0; turn < 20; ++turn) {
            client.handshake();
            const Outcome outcome = session->read(buffer, sizeof buffer);
            if (outcome.state == Outcome::failed || outcome.state == Outcome::closed) return outcome.state;
            if (session->established() && client.handshake() == 1) return Outcome::done;
        }
        return Outcome::want_read;
    }
    std::string received() { return {buffer, session->read(buffer, sizeof buffer).bytes}; }

    Files files;
    int ends[2];
    char buffer[65536];
    std::unique_ptr<TlsContext> context;
    std::unique_ptr<TlsSession> session;
};

TEST_F(Tls, M10HandsOverBytesInBothDirections) {
    load();
    Client client(ends[1], TLS1_3_VERSION, "http/1.1");
    ASSERT_EQ(handshake(client), Outcome::done);
    EXPECT_EQ(client.version(), "TLSv1.3");
    EXPECT_EQ(client.alpn(), "http/1.1");
    EXPECT_EQ(session->read(buffer, sizeof buffer).state, Outcome::want_read);

    client.write("hello");
    EXPECT_EQ(received(), "hello");
    EXPECT_EQ(session->write("good morning").state, Outcome::done);
    EXPECT_EQ(client.read(), "good morning");
}

TEST_F(Tls, M10WhatIsDecryptedAndNotReadIsPending) {
    load();
    Client client(ends[1]);
    ASSERT_EQ(handshake(client), Outcome::done);
    client.write("abcdef");
    ASSERT_EQ(session->read(buffer, 4).bytes, 4u);
    EXPECT_TRUE(session->pending());
    ASSERT_EQ(session->read(buffer, 4).bytes, 2u);
    EXPECT_FALSE(session->pending());
}

TEST_F(Tls, M10AWriteThatTheKernelDoesNotTakeGoesOnWithItsRest) {
    load();
    Client client(ends[1]);
    ASSERT_EQ(handshake(client), Outcome::done);
    std::string sent;
    for (int i = 0; sent.size() < 1'000'000; ++i) sent += std::to_string(i);
    std::string got;
    std::size_t taken = 0;
    int waits = 0;
    while (taken < sent.size()) {
        const std::string moved = sent.substr(taken);  // the same bytes at another address
        const Outcome outcome = session->write(moved);
        ASSERT_TRUE(outcome.state == Outcome::done || outcome.state == Outcome::want_write);
        taken += outcome.bytes;
        waits += outcome.state == Outcome::want_write;
        for (std::string some = client.read(); !some.empty(); some = client.read()) got += some;
    }
    EXPECT_GT(waits, 0);
    EXPECT_TRUE(got == sent);
}

TEST_F(Tls, M10AWriteBeforeTheHandshakeWaitsForThePeer) {
    load();
    const Outcome outcome = session->write("early");
    EXPECT_EQ(outcome.state, Outcome::want_read);
    EXPECT_EQ(outcome.bytes, 0u);
    Client client(ends[1]);
    ASSERT_EQ(handshake(client), Outcome::done);
    EXPECT_EQ(session->write("early").state, Outcome::done);
    EXPECT_EQ(client.read(), "early");
}

TEST_F(Tls, M10Tls12IsRefusedUnlessAskedFor) {
    load();
    Client client(ends[1], TLS1_2_VERSION);
    EXPECT_EQ(handshake(client), Outcome::failed);
    EXPECT_THAT(session->failure(), HasSubstr("unsupported protocol"));
    EXPECT_EQ(session->read(buffer, sizeof buffer).state, Outcome::failed);
    EXPECT_EQ(session->write("x").state, Outcome::failed);
    session->say_goodbye();
}

TEST_F(Tls, M10Tls12ByFlagAndNothingOlder) {
    load(TlsOptions::Version::v1_2);
    {
        Client client(ends[1], TLS1_2_VERSION);
        ASSERT_EQ(handshake(client), Outcome::done);
        EXPECT_EQ(client.version(), "TLSv1.2");
    }
    close(ends[0]);
    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends);
    session = context->session(ends[0]);
    Client old(ends[1], TLS1_1_VERSION);
    EXPECT_NE(handshake(old), Outcome::done);
}

TEST_F(Tls, M10AClientThatSpeaksOnlyHttp2HearsSo) {
    load();
    Client client(ends[1], TLS1_3_VERSION, "h2");
    EXPECT_EQ(handshake(client), Outcome::failed);
}

TEST_F(Tls, M10PlainHttpAndGarbageFail) {
    load();
    ASSERT_GT(::write(ends[1], "GET / HTTP/1.1\r\n\r\n", 18), 0);
    EXPECT_EQ(session->read(buffer, sizeof buffer).state, Outcome::failed);
    EXPECT_THAT(session->failure(), HasSubstr("http request"));
    close(ends[1]);
}

TEST_F(Tls, M10TheEndIsToldAndHeard) {
    load();
    Client client(ends[1]);
    ASSERT_EQ(handshake(client), Outcome::done);
    client.say_goodbye();
    EXPECT_EQ(session->read(buffer, sizeof buffer).state, Outcome::closed);
    EXPECT_EQ(session->write("the last word").state, Outcome::done);  // its other direction is still open
    session->say_goodbye();
    EXPECT_EQ(client.read(), "the last word");
    EXPECT_TRUE(client.told_goodbye());
}

TEST_F(Tls, M10AnEndWithoutGoodbyeIsAnEnd) {
    load();
    {
        Client client(ends[1]);
        ASSERT_EQ(handshake(client), Outcome::done);
        EXPECT_EQ(client.read(), "");  // takes what the handshake left: closing with unread bytes is a reset
    }
    EXPECT_EQ(session->read(buffer, sizeof buffer).state, Outcome::closed);
}

// ---- certificates

TEST_F(Tls, M10AReloadIsForNewSessionsAndOldOnesGoOn) {
    load();
    Client client(ends[1]);
    ASSERT_EQ(handshake(client), Outcome::done);
    EXPECT_EQ(client.serial(), 1);

    files.write(make_pair(2));
    ASSERT_TRUE(context->reload(kNow));
    client.write("still here");
    EXPECT_EQ(received(), "still here");

    close(ends[0]);
    int more[2];
    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, more);
    ends[0] = more[0];
    session = context->session(ends[0]);
    Client next(more[1]);
    ASSERT_EQ(handshake(next), Outcome::done);
    EXPECT_EQ(next.serial(), 2);
}

TEST_F(Tls, M10ABadReloadKeepsTheOldCertificate) {
    load();
    const Pair good = make_pair(2);
    const struct {
        const char *what;
        Pair pair;
        const char *says;
    } cases[] = {
        {"a certificate that is none", {"nonsense", good.key}, "cannot read a certificate from '"},
        {"no certificate", {"", good.key}, "cannot read a certificate from '"},
        {"a key that is none", {good.certificate, "nonsense"}, "cannot read a private key from '"},
        {"the key of another", {good.certificate, make_pair(3).key}, "does not belong to the certificate in '"},
        {"expired", make_pair(4, -7200, -3600), "' expired at "},
        {"not valid yet", make_pair(5, 3600, 7200), "' is valid only from "},
    };
    for (const auto &one : cases) {
        files.write(one.pair);
        const auto reloaded = context->reload(kNow);
        ASSERT_FALSE(reloaded) << one.what;
        EXPECT_THAT(reloaded.error().detail, HasSubstr(one.says)) << one.what;
        EXPECT_NE(reloaded.error().hint, "") << one.what;
    }
    std::filesystem::remove(files.certificate());
    const auto reloaded = context->reload(kNow);
    ASSERT_FALSE(reloaded);
    EXPECT_THAT(reloaded.error().detail, AllOf(HasSubstr(files.certificate()), HasSubstr("No such file")));

    EXPECT_TRUE(context->valid_at(kNow));
    Client client(ends[1]);
    ASSERT_EQ(handshake(client), Outcome::done);
    EXPECT_EQ(client.serial(), 1);
}

TEST_F(Tls, M10AnExpiredCertificateIsLoadedAtStartAndToldOf) {
    files.write(make_pair(1, -7200, -3600));
    load();
    EXPECT_FALSE(context->valid_at(kNow));
    EXPECT_LT(context->expires_at(), kNow);
}

TEST_F(Tls, M10AKeyWithAPassphraseIsAnErrorAndAsksNobody) {
    Pair pair = make_pair(1);
    const std::unique_ptr<BIO, decltype(&BIO_free)> in(BIO_new_mem_buf(pair.key.data(), -1), BIO_free);
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr),
                                                                  EVP_PKEY_free);
    pair.key = pem([&key](BIO *bio) { PEM_write_bio_PKCS8PrivateKey(bio, key.get(), EVP_aes_256_cbc(), "secret", 6, nullptr, nullptr); });
    files.write(pair);
    const auto loaded = TlsContext::load({files.certificate(), files.key()});
    ASSERT_FALSE(loaded);
    EXPECT_THAT(loaded.error().detail, HasSubstr(files.key()));
    EXPECT_THAT(loaded.error().hint, HasSubstr("without passphrase"));
}

}  // namespace
}  // namespace bridge::net

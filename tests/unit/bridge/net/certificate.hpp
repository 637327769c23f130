// Certificates made on the spot, and files to give them to the code under test.
#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

namespace bridge::net {

struct Pair {
    std::string certificate, key;  // PEM
};

inline std::string pem(auto write) {
    const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), BIO_free);
    write(bio.get());
    char *text = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &text);
    return {text, static_cast<std::size_t>(size)};
}

// Self-signed, for localhost; from and until are seconds from now.
inline Pair make_pair(long serial, long from = -60, long until = 3600) {
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), X509_free);
    X509 *x = certificate.get();
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), serial);
    X509_gmtime_adj(X509_getm_notBefore(x), from);
    X509_gmtime_adj(X509_getm_notAfter(x), until);
    X509_set_pubkey(x, key.get());
    X509_NAME *name = X509_get_subject_name(x);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char *>("localhost"), -1, -1, 0);
    X509_set_issuer_name(x, name);
    X509_sign(x, key.get(), EVP_sha256());
    return {pem([x](BIO *bio) { PEM_write_bio_X509(bio, x); }),
            pem([&key](BIO *bio) { PEM_write_bio_PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr); })};
}

// A folder with cert.pem and key.pem, gone with the object.
class Files {
public:
    Files() {
        std::string name = std::filesystem::temp_directory_path() / "pulse-tls.XXXXXX";
        folder_ = mkdtemp(name.data());
    }
    ~Files() { std::filesystem::remove_all(folder_); }
    Files(const Files &) = delete;
    Files &operator=(const Files &) = delete;

    std::string certificate() const { return folder_ / "cert.pem"; }
    std::string key() const { return folder_ / "key.pem"; }
    void write(const Pair &pair) const {
        std::ofstream(certificate()) << pair.certificate;
        std::ofstream(key()) << pair.key;
    }

private:
    std::filesystem::path folder_;
};

}  // namespace bridge::net

#pragma once
// Certificates made on the spot: an authority, and what it signs.

#include <memory>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdexcept>
#include <string>

namespace atq::net::test {

struct Identity {
  std::string cert_pem;
  std::string key_pem;
};

struct CertificateSpec {
  std::string subject = "server";
  std::string names = "DNS:localhost,IP:127.0.0.1";  ///< "" = none
  int from_seconds = -3600;
  int until_seconds = 3600;
  std::string usage = "serverAuth";  ///< or "clientAuth"
};

/// The same key under a password.
inline std::string encrypt_key(const std::string& pem) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> from(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
  const std::unique_ptr<BIO, decltype(&BIO_free)> to(BIO_new(BIO_s_mem()), &BIO_free);
  EVP_PKEY* const key = PEM_read_bio_PrivateKey(from.get(), nullptr, nullptr, nullptr);
  PEM_write_bio_PKCS8PrivateKey(to.get(), key, EVP_aes_128_cbc(), "word", 4, nullptr, nullptr);
  EVP_PKEY_free(key);
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(to.get(), &bytes);
  return {bytes, static_cast<size_t>(size)};
}

/// Signs certificates (EC keys: made in a millisecond).
class Authority {
 public:
  explicit Authority(const std::string& name = "test authority") : key_(make_key()) {
    certificate_ = make(name, name, key_.get(), -3600, 3600);
    add(certificate_.get(), NID_basic_constraints, "critical,CA:TRUE");
    add(certificate_.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
    sign(certificate_.get());
  }

  std::string pem() const { return text_of(certificate_.get()); }

  Identity issue(const CertificateSpec& spec = {}) const {
    const Key key = make_key();
    const Certificate out =
        make(spec.subject, "", key.get(), spec.from_seconds, spec.until_seconds);
    X509_set_issuer_name(out.get(), X509_get_subject_name(certificate_.get()));
    add(out.get(), NID_basic_constraints, "critical,CA:FALSE");
    add(out.get(), NID_ext_key_usage, spec.usage);
    if (!spec.names.empty()) {
      add(out.get(), NID_subject_alt_name, spec.names);
    }
    sign(out.get());
    return {text_of(out.get()), text_of(key.get())};
  }

 private:
  using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
  using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

  static void require(bool good) {
    if (!good) {
      throw std::runtime_error(ERR_error_string(ERR_get_error(), nullptr));
    }
  }
  static Key make_key() { return {EVP_EC_gen("P-256"), &EVP_PKEY_free}; }

  static Certificate make(const std::string& subject, const std::string& issuer, EVP_PKEY* key,
                          int from, int until) {
    static long serial = 0;
    Certificate out(X509_new(), &X509_free);
    X509_set_version(out.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(out.get()), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(out.get()), from);
    X509_gmtime_adj(X509_getm_notAfter(out.get()), until);
    name(X509_get_subject_name(out.get()), subject);
    name(X509_get_issuer_name(out.get()), issuer);
    require(X509_set_pubkey(out.get(), key) == 1);
    return out;
  }
  static void name(X509_NAME* to, const std::string& text) {
    const auto* const bytes = reinterpret_cast<const unsigned char*>(text.data());
    if (!text.empty()) {
      require(X509_NAME_add_entry_by_NID(to, NID_commonName, MBSTRING_ASC, bytes,
                                         static_cast<int>(text.size()), -1, 0) == 1);
    }
  }
  static void add(X509* to, int what, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, nullptr, to, nullptr, nullptr, 0);
    X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, what, value.c_str());
    require(extension != nullptr);
    X509_add_ext(to, extension, -1);
    X509_EXTENSION_free(extension);
  }
  void sign(X509* what) const { require(X509_sign(what, key_.get(), EVP_sha256()) > 0); }

  template <class Write>
  static std::string written(Write write) {
    const std::unique_ptr<BIO, decltype(&BIO_free)> to(BIO_new(BIO_s_mem()), &BIO_free);
    require(write(to.get()) == 1);
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(to.get(), &bytes);
    return {bytes, static_cast<size_t>(size)};
  }
  static std::string text_of(X509* certificate) {
    return written([&](BIO* to) { return PEM_write_bio_X509(to, certificate); });
  }
  static std::string text_of(EVP_PKEY* key) {
    return written([&](BIO* to) {
      return PEM_write_bio_PrivateKey(to, key, nullptr, nullptr, 0, nullptr, nullptr);
    });
  }

  Key key_;
  Certificate certificate_{nullptr, &X509_free};
};

}  // namespace atq::net::test

#include "src/net/tls.hpp"

#include <array>
#include <limits>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <utility>

#include "src/net/tls_context.hpp"

namespace atq::net {
namespace {

using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

/// A CA bundle of the whole world has some 150 certificates in 250 KB.
constexpr size_t kMaxPem = 8 << 20;

Bio open_text(const std::string& pem) {
  return {BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free};
}

/// Never asks at the terminal, as OpenSSL would.
int no_password(char* /*to*/, int /*size*/, int /*writing*/, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

/// Gives each certificate in `pem` to `take`, and how many there were.
template <class Take>
Result<size_t> for_each_certificate(const std::string& pem, const std::string& what, Take take) {
  if (pem.size() > kMaxPem) {
    return fail(ErrorKind::Invalid, what + ": larger than 8 MiB");
  }
  const Bio text = open_text(pem);
  size_t count = 0;
  while (true) {
    bool asked = false;
    const Certificate one(PEM_read_bio_X509(text.get(), nullptr, no_password, &asked), &X509_free);
    if (!one) {
      break;
    }
    ++count;
    if (!take(one.get(), count)) {
      return fail(ErrorKind::Invalid, what + ": certificate " + std::to_string(count) +
                                          " cannot be used: " + take_openssl_error());
    }
  }
  const unsigned long error = ERR_peek_last_error();
  // Where there is nothing more to read OpenSSL says so with an error.
  const bool ended =
      ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
  const std::string reason = take_openssl_error();
  if (!ended) {
    return fail(ErrorKind::Invalid,
                what + ": certificate " + std::to_string(count + 1) + " is broken: " + reason);
  }
  if (count == 0) {
    return fail(ErrorKind::Invalid,
                what + ": expected PEM text (-----BEGIN CERTIFICATE-----), found none");
  }
  return count;
}

Result<void> trust(SSL_CTX* ssl, const TlsOptions& options) {
  if (options.ca_pem.empty()) {
    if (SSL_CTX_set_default_verify_paths(ssl) != 1) {
      return fail(ErrorKind::Internal,
                  "cannot load the system's certificates: " + take_openssl_error());
    }
    return {};
  }
  X509_STORE* const store = SSL_CTX_get_cert_store(ssl);
  const auto added = for_each_certificate(
      options.ca_pem, "CA bundle",
      [store](X509* certificate, size_t) { return X509_STORE_add_cert(store, certificate) == 1; });
  if (!added) {
    return std::unexpected(added.error());
  }
  // Whatever stands in the bundle is an anchor, an intermediate certificate too: as Go has it, and
  // so kubectl.
  X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
  return {};
}

Result<void> use_key(SSL_CTX* ssl, const std::string& pem) {
  bool asked = false;
  const Bio text = open_text(pem);
  const Key key(pem.size() > kMaxPem
                    ? nullptr
                    : PEM_read_bio_PrivateKey(text.get(), nullptr, no_password, &asked),
                &EVP_PKEY_free);
  if (!key) {
    ERR_clear_error();  // says nothing of use, and must not say anything of the key
    return fail(ErrorKind::Invalid, asked ? "client key: it is encrypted; expected one without a "
                                            "password"
                                          : "client key: expected PEM text of a private key");
  }
  if (SSL_CTX_use_PrivateKey(ssl, key.get()) != 1 || SSL_CTX_check_private_key(ssl) != 1) {
    ERR_clear_error();
    return fail(ErrorKind::Invalid, "client key: it does not belong to the client certificate");
  }
  return {};
}

Result<void> identify(SSL_CTX* ssl, const TlsOptions& options) {
  if (options.cert_pem.empty() && options.key_pem.empty()) {
    return {};
  }
  if (options.cert_pem.empty() || options.key_pem.empty()) {
    return fail(ErrorKind::Invalid, options.key_pem.empty()
                                        ? "client certificate: its key is missing"
                                        : "client key: its certificate is missing");
  }
  const auto read = for_each_certificate(
      options.cert_pem, "client certificate", [ssl](X509* certificate, size_t number) {
        return number == 1 ? SSL_CTX_use_certificate(ssl, certificate) == 1
                           : SSL_CTX_add1_chain_cert(ssl, certificate) == 1;
      });
  if (!read) {
    return std::unexpected(read.error());
  }
  return use_key(ssl, options.key_pem);
}

}  // namespace

std::string take_openssl_error() {
  const unsigned long error = ERR_peek_last_error();
  const char* const reason = ERR_reason_error_string(error);
  ERR_clear_error();
  return reason != nullptr ? reason : "error " + std::to_string(error);
}

TlsContext::TlsContext(const TlsOptions& options)
    : server_name(options.server_name),
      insecure(options.insecure),
      own_authorities(!options.ca_pem.empty()),
      has_certificate(!options.cert_pem.empty()) {}

Result<std::shared_ptr<const TlsContext>> make_tls_context(const TlsOptions& options) {
  ERR_clear_error();
  auto context = std::make_shared<TlsContext>(options);
  SSL_CTX* const ssl = context->ssl.native_handle();
  static constexpr std::array<unsigned char, 9> kProtocols = {8,   'h', 't', 't', 'p',
                                                              '/', '1', '.', '1'};
  if (SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) != 1 ||
      SSL_CTX_set_alpn_protos(ssl, kProtocols.data(), kProtocols.size()) != 0) {
    return fail(ErrorKind::Internal, "cannot prepare TLS: " + take_openssl_error());
  }
  SSL_CTX_set_options(ssl, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  if (!options.insecure) {
    const auto trusted = trust(ssl, options);
    if (!trusted) {
      return std::unexpected(trusted.error());
    }
  }
  const auto identified = identify(ssl, options);
  if (!identified) {
    return std::unexpected(identified.error());
  }
  return context;
}

}  // namespace atq::net

#include "src/net/tls_stream.hpp"

#include <array>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string_view>
#include <utility>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "src/net/tls_context.hpp"

namespace atq::net {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr int kMaxNames = 8;
constexpr size_t kMaxText = 200;

/// What a peer wrote, fit for a message: printable and short.
std::string quote(std::string_view text) {
  std::string out;
  for (const char sign : text.substr(0, kMaxText)) {
    out += sign >= ' ' && sign <= '~' ? sign : '?';
  }
  return out;
}

std::string text_of(const ASN1_STRING* text) {
  const auto size = static_cast<size_t>(ASN1_STRING_length(text));
  return quote({reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)), size});
}

std::string text_of(const X509_NAME* name) {
  const int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
  if (at >= 0) {
    return text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
  }
  std::array<char, kMaxText> line{};
  X509_NAME_oneline(name, line.data(), line.size());
  return quote(line.data());
}

std::string text_of_time(const ASN1_TIME* time) {
  tm parts{};
  std::array<char, 32> text{};
  if (ASN1_TIME_to_tm(time, &parts) != 1 ||
      std::strftime(text.data(), text.size(), "%FT%TZ", &parts) == 0) {
    return "an unreadable time";
  }
  return text.data();
}

std::string text_of_address(const ASN1_OCTET_STRING* bytes) {
  const auto* const data = ASN1_STRING_get0_data(bytes);
  if (ASN1_STRING_length(bytes) == 4) {
    asio::ip::address_v4::bytes_type raw{};
    std::copy_n(data, raw.size(), raw.begin());
    return asio::ip::address_v4(raw).to_string();
  }
  if (ASN1_STRING_length(bytes) == 16) {
    asio::ip::address_v6::bytes_type raw{};
    std::copy_n(data, raw.size(), raw.begin());
    return asio::ip::address_v6(raw).to_string();
  }
  return "?";
}

/// "a.example, 10.0.0.1 and 3 more"; "no name" where there is none.
std::string names_of(const X509* certificate) {
  const std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)> names(
      static_cast<GENERAL_NAMES*>(
          X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)),
      &GENERAL_NAMES_free);
  std::string out;
  int count = 0;
  for (int at = 0; names && at < sk_GENERAL_NAME_num(names.get()); ++at) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), at);
    const bool is_address = name->type == GEN_IPADD;
    if ((is_address || name->type == GEN_DNS) && ++count <= kMaxNames) {
      out += out.empty() ? "" : ", ";
      out += is_address ? text_of_address(name->d.iPAddress) : text_of(name->d.dNSName);
    }
  }
  if (count > kMaxNames) {
    out += " and " + std::to_string(count - kMaxNames) + " more";
  }
  return out.empty() ? "no name" : out;
}

/// Alerts with which a server refuses who we are (RFC 8446, 6.2).
bool is_about_us(int reason) {
  switch (reason) {
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
    case SSL_R_TLSV1_ALERT_DECRYPT_ERROR:
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
      return true;
    default:
      return false;
  }
}

bool is_about_versions(int reason) {
  return reason == SSL_R_UNSUPPORTED_PROTOCOL || reason == SSL_R_TLSV1_ALERT_PROTOCOL_VERSION ||
         reason == SSL_R_NO_PROTOCOLS_AVAILABLE;
}

bool is_no_tls(int reason) {
  return reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST ||
         reason == SSL_R_PACKET_LENGTH_TOO_LONG || reason == SSL_R_BAD_PROTOCOL_VERSION_NUMBER;
}

/// A name as it is checked: without the root's dot and without an IPv6 zone.
std::string bare(std::string name) {
  if (name.find(':') != std::string::npos) {
    name.resize(std::min(name.find('%'), name.size()));
  } else if (name.ends_with('.')) {
    name.pop_back();
  }
  return name;
}

}  // namespace

struct TlsStream::Impl {
  Impl(Socket& socket, std::shared_ptr<const TlsContext> with, const std::string& host)
      : context(std::move(with)),
        stream(socket, context->ssl),
        name(bare(context->server_name.empty() ? host : context->server_name)) {}

  bool set_name();
  void set_checks();
  bool check(bool good, asio::ssl::verify_context& checked);
  std::string why_not(X509_STORE_CTX* checked) const;
  /// OpenSSL asks for a client certificate: the server has asked.
  static int asked_who_we_are(SSL* /*ssl*/, void* impl) {
    static_cast<Impl*>(impl)->asked = true;
    return 1;
  }
  SSL* ssl() { return stream.native_handle(); }

  std::shared_ptr<const TlsContext> context;
  asio::ssl::stream<Socket&> stream;
  std::string name;
  std::string distrust;  ///< why the peer's certificate was refused
  bool asked = false;
};

bool TlsStream::Impl::set_name() {
  // To OpenSSL no name means no check, and a leading dot any name below.
  if (name.empty() || name.starts_with('.')) {
    return false;
  }
  error_code no_address;
  static_cast<void>(asio::ip::make_address(name, no_address));
  X509_VERIFY_PARAM* const checks = SSL_get0_param(ssl());
  if (!no_address) {
    return X509_VERIFY_PARAM_set1_ip_asc(checks, name.c_str()) == 1;
  }
  // As Go has it, and so kubectl: the subject's common name counts for nothing.
  X509_VERIFY_PARAM_set_hostflags(
      checks, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  return X509_VERIFY_PARAM_set1_host(checks, name.data(), name.size()) == 1 &&
         SSL_set_tlsext_host_name(ssl(), name.c_str()) == 1;
}

void TlsStream::Impl::set_checks() {
  SSL_set_cert_cb(ssl(), &Impl::asked_who_we_are, this);
  if (context->insecure) {
    stream.set_verify_mode(asio::ssl::verify_none);
    return;
  }
  stream.set_verify_mode(asio::ssl::verify_peer);
  stream.set_verify_callback(
      [this](bool good, asio::ssl::verify_context& checked) { return check(good, checked); });
}

bool TlsStream::Impl::check(bool good, asio::ssl::verify_context& checked) {
  if (!good && distrust.empty()) {
    distrust = why_not(checked.native_handle());
  }
  return good;
}

std::string TlsStream::Impl::why_not(X509_STORE_CTX* checked) const {
  const int error = X509_STORE_CTX_get_error(checked);
  const X509* const certificate = X509_STORE_CTX_get_current_cert(checked);
  if (certificate == nullptr) {
    return X509_verify_cert_error_string(error);
  }
  const std::string subject =
      "the certificate \"" + text_of(X509_get_subject_name(certificate)) + "\" ";
  switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return subject + "expired at " + text_of_time(X509_get0_notAfter(certificate));
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return subject + "is not valid before " + text_of_time(X509_get0_notBefore(certificate)) +
             "; check the clocks";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return subject + "is for " + names_of(certificate) + ", expected \"" + quote(name) + "\"";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return subject + "is signed by \"" + text_of(X509_get_issuer_name(certificate)) +
             "\", an unknown authority; expected one of " +
             (context->own_authorities ? "the CA bundle given" : "the system's authorities");
    default:
      return subject + "is not accepted: " + X509_verify_cert_error_string(error);
  }
}

TlsStream::TlsStream(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsStream::~TlsStream() = default;

Result<std::unique_ptr<TlsStream>> TlsStream::make(Socket& socket,
                                                   std::shared_ptr<const TlsContext> context,
                                                   const std::string& host) {
  auto impl = std::make_unique<Impl>(socket, std::move(context), host);
  if (!impl->set_name()) {
    ERR_clear_error();
    return fail(ErrorKind::Invalid, "\"" + quote(impl->name) + "\" is no name for TLS to check");
  }
  impl->set_checks();
  return std::unique_ptr<TlsStream>(new TlsStream(std::move(impl)));
}

Task<void> TlsStream::handshake(error_code& code) {
  co_await impl_->stream.async_handshake(asio::ssl::stream_base::client,
                                         asio::redirect_error(asio::use_awaitable, code));
}

Task<size_t> TlsStream::read(asio::mutable_buffer buffer, error_code& code) {
  const size_t size = co_await impl_->stream.async_read_some(
      buffer, asio::redirect_error(asio::use_awaitable, code));
  co_return size;
}

Task<void> TlsStream::write(asio::const_buffer buffer, error_code& code) {
  co_await asio::async_write(impl_->stream, buffer,
                             asio::redirect_error(asio::use_awaitable, code));
}

bool TlsStream::has_more() const {
  SSL* const ssl = impl_->ssl();
  return SSL_has_pending(ssl) != 0 || BIO_ctrl_pending(SSL_get_rbio(ssl)) > 0 ||
         (SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
}

std::optional<Error> TlsStream::explain(const error_code& code) const {
  if (code == asio::ssl::error::stream_truncated) {
    return Error{ErrorKind::Unavailable, "the connection broke (TLS was not ended regularly)",
                 std::nullopt};
  }
  if (code.category() != asio::error::get_ssl_category()) {
    return std::nullopt;
  }
  if (!impl_->distrust.empty()) {
    return Error{ErrorKind::Unauthorized, impl_->distrust, std::nullopt};
  }
  const auto error = static_cast<unsigned long>(code.value());
  const int reason = ERR_GET_REASON(error);
  const char* const text = ERR_reason_error_string(error);
  const std::string said = text != nullptr ? text : "TLS error " + std::to_string(reason);
  const bool refused =
      is_about_us(reason) || (reason == SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE && impl_->asked);
  if (refused) {
    return Error{ErrorKind::Unauthorized,
                 impl_->context->has_certificate
                     ? "the server does not accept our client certificate: " + said
                     : "the server expects a client certificate, none is configured: " + said,
                 std::nullopt};
  }
  if (is_about_versions(reason)) {
    return Error{ErrorKind::Invalid, "expected TLS 1.2 or later: " + said, std::nullopt};
  }
  if (is_no_tls(reason)) {
    return Error{ErrorKind::Invalid, "the server does not speak TLS on this port: " + said,
                 std::nullopt};
  }
  return Error{ErrorKind::Unavailable, said, std::nullopt};
}

}  // namespace atq::net

#include "src/kube/exec_credential.hpp"

#include <nlohmann/json.hpp>

#include "src/base/base64.hpp"
#include "src/base/text.hpp"

namespace atq::kube {
namespace {

using Json = nlohmann::json;

/// nullopt where there is something else than a text; "" where there is nothing.
std::optional<std::string> text_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return "";
  if (!found->is_string()) return std::nullopt;
  return found->get<std::string>();
}

std::unexpected<Error> bad(const std::string& message) { return fail(ErrorKind::Invalid, message); }

}  // namespace

std::string exec_info(const ExecPlugin& plugin, const Access& access, std::string_view ca_pem) {
  Json spec{{"interactive", false}};
  if (plugin.provide_cluster_info) {
    Json cluster{{"server", access.server.origin() + access.server.prefix}};
    if (!access.tls_server_name.empty()) cluster["tls-server-name"] = access.tls_server_name;
    if (access.insecure) cluster["insecure-skip-tls-verify"] = true;
    if (!ca_pem.empty()) cluster["certificate-authority-data"] = encode_base64(ca_pem);
    spec["cluster"] = std::move(cluster);
  }
  return Json{{"apiVersion", plugin.api_version}, {"kind", "ExecCredential"}, {"spec", spec}}.dump(
      -1, ' ', false, Json::error_handler_t::replace);
}

Result<ExecCredential> read_exec_credential(std::string_view output, const ExecPlugin& plugin) {
  const Json json = Json::parse(output, nullptr, false);
  if (!json.is_object()) return bad("printed no JSON object, expected an ExecCredential");
  const auto version = text_of(json, "apiVersion");
  const auto kind = text_of(json, "kind");
  if (version != plugin.api_version || kind != "ExecCredential") {
    return bad("printed \"" + to_printable(truncate(kind.value_or("?"), 100)) + "\" of \"" +
               to_printable(truncate(version.value_or("?"), 100)) +
               "\", expected ExecCredential of " + plugin.api_version);
  }
  const auto status = json.find("status");
  if (status == json.end() || !status->is_object()) return bad("printed no status");
  const auto token = text_of(*status, "token");
  const auto certificate = text_of(*status, "clientCertificateData");
  const auto key = text_of(*status, "clientKeyData");
  const auto expires = text_of(*status, "expirationTimestamp");
  if (!token || !certificate || !key || !expires) {
    return bad("printed a status with something else than texts");
  }
  if (certificate->empty() != key->empty()) {
    return bad("printed one of clientCertificateData and clientKeyData, expected both");
  }
  if (token->empty() && certificate->empty()) {
    return bad("printed neither a token nor a client certificate");
  }
  if (!token->empty() && !is_token(*token)) {
    return bad("printed a token with signs that no token has, expected a single word");
  }
  ExecCredential out{.token = *token, .certificate = *certificate, .key = *key, .expires = {}};
  if (!expires->empty()) {
    out.expires = parse_rfc3339(*expires);
    if (!out.expires) return bad("printed an expirationTimestamp that is no RFC 3339 time");
  }
  return out;
}

}  // namespace atq::kube

#include "src/kube/resource.hpp"

#include "src/net/http.hpp"

namespace atq::kube {

std::string api_version(const Resource& resource) {
  std::string text(resource.group);
  if (!text.empty()) {
    text += '/';
  }
  return text += resource.version;
}

std::string path_of(const Resource& resource, std::string_view ns, std::string_view name,
                    std::string_view subresource) {
  std::string path =
      resource.group.empty() ? "/api" : "/apis/" + net::encode_component(resource.group);
  path += '/' + net::encode_component(resource.version);
  if (!ns.empty()) {
    path += "/namespaces/" + net::encode_component(ns);
  }
  path += '/' + net::encode_component(resource.plural);
  if (!name.empty()) {
    path += '/' + net::encode_component(name);
  }
  if (!subresource.empty()) {
    path += '/' + net::encode_component(subresource);
  }
  return path;
}

std::string with_query(
    std::string path,
    std::initializer_list<std::pair<std::string_view, std::string_view>> parameters) {
  char separator = '?';
  for (const auto& [name, value] : parameters) {
    if (!value.empty()) {
      path += separator;
      path += net::encode_component(name) + '=' + net::encode_component(value);
      separator = '&';
    }
  }
  return path;
}

}  // namespace atq::kube

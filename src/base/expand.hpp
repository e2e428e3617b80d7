#pragma once
// Kubernetes' expansion of $(NAME) in command and args
// (https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/).

#include <map>
#include <string>
#include <string_view>

namespace atq {

/// $(NAME) becomes the variable's value, $$(NAME) the text $(NAME); an unknown name stays as it is.
/// Values are not expanded again.
std::string expand_variables(std::string_view text,
                             const std::map<std::string, std::string>& variables);

}  // namespace atq

#pragma once
// Base64 with the standard alphabet and padding (RFC 4648, section 4).

#include <optional>
#include <string>
#include <string_view>

namespace atq {

std::string encode_base64(std::string_view bytes);

/// Line breaks and spaces are passed over, as in Kubernetes' data fields; nullopt for anything else
/// that is not the alphabet, or where the padding is wrong.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace atq

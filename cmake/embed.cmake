# Writes FILE's bytes as a C++ string function (atq_embed). Hex escapes in pieces, as compilers bound a literal.
file(READ "${IN}" hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
file(WRITE "${OUT}"
  "#include <string_view>\nnamespace atq::embedded {\nstatic const unsigned char kData[] = {${bytes}0};\n"
  "std::string_view ${SYMBOL}();\n"
  "std::string_view ${SYMBOL}() { return {reinterpret_cast<const char*>(kData), sizeof(kData) - 1}; }\n}\n")

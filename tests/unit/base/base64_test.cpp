#include "src/base/base64.hpp"

#include <gtest/gtest.h>

#include "src/base/text.hpp"

namespace atq {
namespace {

TEST(Base64, KnowsTheVectorsOfRfc4648) {
  const std::pair<std::string, std::string> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, coded] : vectors) {
    EXPECT_EQ(encode_base64(plain), coded);
    EXPECT_EQ(decode_base64(coded), plain);
  }
}

TEST(Base64, TakesEveryByteAndLineBreaks) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  std::string coded = encode_base64(bytes);
  for (size_t at = 64; at < coded.size(); at += 65) coded.insert(at, "\n");
  EXPECT_EQ(decode_base64(coded), bytes);
}

TEST(Base64, RefusesWhatIsNone) {
  for (const char* text : {"Z", "Zg", "Zg=", "Zg===", "====", "Z===", "Zg==Zg==", "Zm9-", "Zm=v"}) {
    EXPECT_EQ(decode_base64(text), std::nullopt) << text;
  }
}

TEST(Nesting, CountsBracketsAndColumns) {
  EXPECT_FALSE(nests_too_deep("a:\n  b: [1, {c: 2}]\n", 10));
  EXPECT_TRUE(nests_too_deep(std::string(11, '['), 10));
  EXPECT_TRUE(nests_too_deep("a: 1\n" + std::string(11, ' ') + "b: 1\n", 10));
  EXPECT_TRUE(nests_too_deep("- - - - - - a", 10));
  EXPECT_FALSE(nests_too_deep("a:             far to the right", 10));
}

}  // namespace
}  // namespace atq

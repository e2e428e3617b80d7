#include "controller/engine/deflated_text.hpp"

#include <random>

#include <gtest/gtest.h>

namespace atq::engine {
namespace {

TEST(DeflatedText, GivesBackEveryText) {
  std::mt19937 random(1);
  for (const size_t size : {0U, 1U, 2U, 30U, 4'000U, 100'000U, 1'500'000U}) {
    std::string noise(size, '\0');
    for (char& c : noise) {
      c = static_cast<char>(random());
    }
    EXPECT_EQ(DeflatedText(noise).str(), noise) << size;
    EXPECT_EQ(DeflatedText(std::string(size, 'x')).str(), std::string(size, 'x')) << size;
  }
  EXPECT_EQ(DeflatedText().str(), "");
}

TEST(DeflatedText, MakesRepetitionSmallAndNoiseNoLarger) {
  std::string text;
  for (int i = 0; i < 13; ++i) {
    text += R"({"type":"Accepted","status":"True","observedGeneration":1,"reason":"Valid"},)";
  }
  EXPECT_LT(DeflatedText(text).stored_size(), text.size() / 5);
  EXPECT_EQ(DeflatedText("a\xff\x01z").stored_size(), 4U);
}

}  // namespace
}  // namespace atq::engine

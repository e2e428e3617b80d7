#include "src/kube/kubeconfig.hpp"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "src/base/text.hpp"

namespace atq::kube {
namespace {

namespace fs = std::filesystem;

/// The files of a folder of tests/data/kubeconfig with the words of their first comment lines.
struct Sample {
  std::string name, text;
  std::vector<std::string> words;
};
std::vector<Sample> samples(const std::string& folder) {
  std::vector<Sample> out;
  for (const auto& entry :
       fs::directory_iterator(ATQ_SOURCE_DIR "/tests/data/kubeconfig/" + folder)) {
    std::ifstream in(entry.path());
    Sample sample{entry.path().filename().string(), {std::istreambuf_iterator<char>(in), {}}, {}};
    for (const auto& line : split(sample.text, '\n')) {
      if (!line.starts_with("# ")) break;
      sample.words.push_back(line.substr(2));
    }
    out.push_back(std::move(sample));
  }
  return out;
}

Result<Access> choose(const std::string& text, const std::string& context = {}) {
  const auto config = Kubeconfig::merge({{"/etc/kube/config", text}});
  if (!config) return std::unexpected(config.error());
  return config->choose(context);
}

std::map<std::string, std::string> describe(const Access& access) {
  std::map<std::string, std::string> out{{"server", access.server.origin() + access.server.prefix},
                                         {"namespace", access.ns},
                                         {"token", access.token.text},
                                         {"token-file", access.token.file},
                                         {"ca", access.ca.text},
                                         {"ca-file", access.ca.file},
                                         {"certificate", access.certificate.text},
                                         {"certificate-file", access.certificate.file},
                                         {"key", access.key.text},
                                         {"key-file", access.key.file},
                                         {"tls-server-name", access.tls_server_name},
                                         {"insecure", access.insecure ? "true" : "false"},
                                         {"exec", access.exec ? access.exec->command : ""}};
  if (access.exec) {
    out["exec-version"] = access.exec->api_version;
    out["exec-cluster"] = access.exec->provide_cluster_info ? "true" : "false";
    out["exec-argument"] = join(access.exec->arguments, " ");
    for (const auto& [name, value] : access.exec->environment) {
      out["exec-environment"] = name + "=" + value;
    }
  }
  return out;
}

TEST(KubeconfigTable, GoodFilesMeanWhatTheySay) {
  const auto all = samples("good");
  ASSERT_GE(all.size(), 15U);
  for (const auto& sample : all) {
    SCOPED_TRACE(sample.name);
    const auto access = choose(sample.text);
    ASSERT_TRUE(access) << access.error().message;
    auto found = describe(*access);
    ASSERT_FALSE(sample.words.empty());
    for (const auto& word : sample.words) {
      const size_t equals = word.find(" =");
      const std::string key = word.substr(0, equals);
      ASSERT_TRUE(found.contains(key)) << key;
      EXPECT_EQ(found[key], equals + 3 <= word.size() ? word.substr(equals + 3) : "") << key;
    }
  }
}

TEST(KubeconfigTable, BadFilesAreRefusedWithTheirPlaceAndWithoutSecrets) {
  const auto all = samples("bad");
  ASSERT_GE(all.size(), 30U);
  for (const auto& sample : all) {
    SCOPED_TRACE(sample.name);
    const auto access = choose(sample.text);
    ASSERT_FALSE(access);
    const std::string& message = access.error().message;
    EXPECT_NE(message.find("/etc/kube/config"), std::string::npos) << message;
    EXPECT_EQ(message.find("s3cr3t"), std::string::npos) << message;
    EXPECT_LT(message.size(), 1000U);
    for (const auto& word : sample.words) {
      ASSERT_TRUE(word.starts_with("says: ")) << word;
      EXPECT_NE(message.find(word.substr(6)), std::string::npos) << message;
    }
  }
}

constexpr const char* kFirst = R"(
current-context: ""
clusters: [{name: lab, cluster: {server: "https://first"}}]
contexts: [{name: a, context: {cluster: lab, user: me}}]
)";
constexpr const char* kSecond = R"(
current-context: b
clusters: [{name: lab, cluster: {server: "https://second"}}, {name: other, cluster: {server: "https://other", certificate-authority: ca.crt}}]
contexts: [{name: a, context: {cluster: other}}, {name: b, context: {cluster: other, user: me}}]
users: [{name: me, user: {tokenFile: token}}]
)";

TEST(KubeconfigMerge, TheFirstFileWinsPerName) {
  const auto config = Kubeconfig::merge({{"/one/config", kFirst}, {"/two/config", kSecond}});
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->contexts(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(config->current_context(), "b");
  const auto a = config->choose("a");
  ASSERT_TRUE(a) << a.error().message;
  EXPECT_EQ(a->server.host, "first");
  EXPECT_EQ(a->token.file, "/two/token");
  EXPECT_EQ(a->source, "context a of /one/config");
  const auto b = config->choose("");
  ASSERT_TRUE(b) << b.error().message;
  EXPECT_EQ(b->server.host, "other");
  EXPECT_EQ(b->ca.file, "/two/ca.crt");
}

TEST(KubeconfigMerge, AnUnknownContextNamesAllFiles) {
  const auto config = Kubeconfig::merge({{"/one/config", kFirst}, {"/two/config", kSecond}});
  const auto access = config->choose("production");
  ASSERT_FALSE(access);
  EXPECT_EQ(access.error().kind, ErrorKind::NotFound);
  EXPECT_EQ(
      access.error().message,
      "/one/config:/two/config: context \"production\" does not exist: there is \"a\", \"b\"");
}

TEST(KubeconfigFiles, AListSkipsWhatIsMissingAndASingleOneMustExist) {
  const fs::path folder = fs::path(testing::TempDir()) / "kubeconfig-files";
  fs::create_directories(folder);
  std::ofstream(folder / "two") << kSecond;
  const std::string missing = (folder / "none").string();
  const auto config = load_kubeconfig(missing + ":" + (folder / "two").string());
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->choose("")->token.file, (folder / "token").string());
  const auto single = load_kubeconfig(missing);
  ASSERT_FALSE(single);
  EXPECT_EQ(single.error().kind, ErrorKind::NotFound);
  EXPECT_NE(single.error().message.find(missing), std::string::npos);
  EXPECT_FALSE(load_kubeconfig(missing + ":" + missing + "2"));
  EXPECT_FALSE(load_kubeconfig(folder.string()));
  std::ofstream(folder / "large") << std::string(kMaxKubeconfigBytes + 1, '#');
  const auto large = load_kubeconfig((folder / "large").string());
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().kind, ErrorKind::Invalid);
  fs::remove_all(folder);
}

TEST(ServerUrls, KeepTheirParts) {
  const auto url = parse_server_url("https://[::1]/a/b//");
  ASSERT_TRUE(url);
  EXPECT_EQ(*url, (ServerUrl{.tls = true, .host = "::1", .port = 443, .prefix = "/a/b"}));
  for (const char* bad : {"", "https://", "https://[]:1", "https://a:0", "https://a:1x",
                          "https://a b", "https://a/\r\nHost: x", "https://a/?q=1", "HTTPS://a"}) {
    EXPECT_FALSE(parse_server_url(bad)) << bad;
  }
}

}  // namespace
}  // namespace atq::kube

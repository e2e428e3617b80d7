// What users do to their folder, and what becomes of it.
#include <fstream>
#include <unistd.h>

#include "tests/unit/stores/directory/fixture.hpp"

namespace atq::stores::directory {
namespace {

namespace fs = std::filesystem;

class Folder : public DirectoryTest {};

TEST_F(Folder, AFileHoldsSeveralDocumentsAndFoldersAreNamespaces) {
  write_file(file("many.yaml"), yaml_of("a") + "---\n" + yaml_of("b"));
  fs::create_directories(file("team/nightly"));
  write_file(file("team/c.yml"), yaml_of("c"));
  write_file(file("team/nightly/d.yaml"), yaml_of("d"));
  write_file(file(".hidden.yaml"), yaml_of("hidden"));
  write_file(file("notes.txt"), "no YAML");
  start();
  EXPECT_EQ(sink().objects.size(), 4U);
  EXPECT_NE(find("a"), nullptr);
  EXPECT_NE(find("b"), nullptr);
  EXPECT_NE(find("c", "team"), nullptr);
  EXPECT_NE(find("d", "team-nightly"), nullptr);
  EXPECT_TRUE(sink().source_problems.empty());
}

TEST_F(Folder, NothingIsEverWrittenBesideTheFiles) {
  write_file(file("a.yaml"), yaml_of("a"));
  start();
  const auto& meta = find("a")->test.metadata;
  ASSERT_TRUE(
      wait(fixture_.store().update_status({"default", "a"}, meta.uid, meta.resource_version, {})));
  int files = 0;
  for ([[maybe_unused]] const auto& entry : fs::recursive_directory_iterator(fixture_.folder())) {
    ++files;
  }
  EXPECT_EQ(files, 1);
  EXPECT_TRUE(fs::exists(fixture_.record("a")));
}

TEST_F(Folder, ANewFolderIsSeenWithWhatIsInIt) {
  start();
  fs::create_directories(file("team/deep"));
  write_file(file("team/deep/a.yaml"), yaml_of("a"));
  ASSERT_TRUE(sees([&] { return find("a", "team-deep") != nullptr; }));
  write_file(file("team/deep/b.yaml"), yaml_of("b"));
  ASSERT_TRUE(sees([&] { return find("b", "team-deep") != nullptr; }));
}

TEST_F(Folder, ARenamedFolderMovesItsTestsToTheNewNamespace) {
  fs::create_directories(file("old"));
  write_file(file("old/a.yaml"), yaml_of("a"));
  start();
  fs::rename(file("old"), file("new"));
  ASSERT_TRUE(sees([&] { return find("a", "new") != nullptr; }));
  ASSERT_TRUE(sees([&] { return find("a", "old")->test.metadata.deletion_timestamp.has_value(); }));
  write_file(file("new/b.yaml"), yaml_of("b"));
  ASSERT_TRUE(sees([&] { return find("b", "new") != nullptr; }));
}

TEST_F(Folder, ARenamedFileKeepsItsTests) {
  write_file(file("a.yaml"), yaml_of("a"));
  start();
  const std::string uid = find("a")->test.metadata.uid;
  fs::rename(file("a.yaml"), file("b.yaml"));
  write_file(file("b.yaml"), yaml_of("a", 9));
  ASSERT_TRUE(sees([&] { return find("a")->test.spec.worker.replicas == 9; }));
  fs::remove(file("b.yaml"));
  ASSERT_TRUE(sees([&] { return find("a")->test.metadata.deletion_timestamp.has_value(); }));
  EXPECT_EQ(find("a")->test.metadata.uid, uid);
}

TEST_F(Folder, AnEditorThatReplacesTheFileDeletesNothing) {
  write_file(file("a.yaml"), yaml_of("a"));
  start();
  const std::string uid = find("a")->test.metadata.uid;
  fs::rename(file("a.yaml"), file("a.yaml~"));  // as vim does with a backup
  write_file(file("a.yaml"), yaml_of("a", 4));
  ASSERT_TRUE(sees([&] { return find("a")->test.spec.worker.replicas == 4; }));
  write_file(file("other.yaml"), yaml_of("other"));
  ASSERT_TRUE(sees([&] { return find("other") != nullptr; }));
  EXPECT_EQ(find("a")->test.metadata.uid, uid);
  EXPECT_FALSE(find("a")->test.metadata.deletion_timestamp.has_value());
}

TEST_F(Folder, AFileBeingWrittenIsNotReadBeforeItIsClosed) {
  start();
  {
    std::ofstream out(file("a.yaml"));
    out << yaml_of("a", 2) << std::flush;
    write_file(file("other.yaml"), yaml_of("other"));
    ASSERT_TRUE(sees([&] { return find("other") != nullptr; }));
    EXPECT_EQ(find("a"), nullptr);
    out << "---\n" << yaml_of("b", 2);
  }
  ASSERT_TRUE(sees([&] { return find("b") != nullptr; }));
  EXPECT_NE(find("a"), nullptr);
}

TEST_F(Folder, AFileBeingWrittenAtTheStartIsNotReadBeforeItIsClosed) {
  std::ofstream out(file("a.yaml"));
  out << yaml_of("a", 2) << std::flush;
  start();
  EXPECT_TRUE(sink().objects.empty());
  out << "  load: {warmUpSeconds: 3}\n" << std::flush;
  out.close();
  ASSERT_TRUE(sees([&] { return find("a") != nullptr; }));
  EXPECT_EQ(find("a")->test.spec.load.warm_up_seconds, 3);
}

TEST_F(Folder, ABrokenFileKeepsItsLastGoodTestsAlsoOverARestart) {
  write_file(file("a.yaml"), yaml_of("a", 3));
  start();
  const std::string uid = find("a")->test.metadata.uid;
  write_file(file("a.yaml"), "kind: LoadTest\n  bad: [indent\n");
  ASSERT_TRUE(sees([&] { return sink().problem("a.yaml") != nullptr; }));
  EXPECT_NE(sink().problem("line "), nullptr) << sink().source_problems.at(0).message;
  restart();
  ASSERT_NE(find("a"), nullptr);
  EXPECT_EQ(find("a")->test.metadata.uid, uid);
  EXPECT_EQ(find("a")->test.spec.worker.replicas, 3);
  EXPECT_FALSE(find("a")->test.metadata.deletion_timestamp.has_value());
  EXPECT_NE(sink().problem("a.yaml"), nullptr);
  write_file(file("a.yaml"), yaml_of("a", 4));
  ASSERT_TRUE(sees([&] { return find("a")->test.spec.worker.replicas == 4; }));
  EXPECT_TRUE(sees([&] { return sink().source_problems.empty(); }));
}

TEST_F(Folder, AnEmptiedFileKeepsItsTests) {
  write_file(file("a.yaml"), yaml_of("a"));
  start();
  write_file(file("a.yaml"), "");
  ASSERT_TRUE(sees([&] { return sink().problem("holds no document") != nullptr; }));
  EXPECT_FALSE(find("a")->test.metadata.deletion_timestamp.has_value());
}

TEST_F(Folder, ADocumentTakenOutOfItsFileIsDeleted) {
  write_file(file("a.yaml"), yaml_of("a") + "---\n" + yaml_of("b"));
  start();
  write_file(file("a.yaml"), yaml_of("a"));
  ASSERT_TRUE(sees([&] { return find("b")->test.metadata.deletion_timestamp.has_value(); }));
  EXPECT_FALSE(find("a")->test.metadata.deletion_timestamp.has_value());
}

TEST_F(Folder, AWrongSpecIsShownWithItsProblems) {
  write_file(file("a.yaml"), yaml_of("a", 0) + "  colour: red\n");
  start();
  ASSERT_NE(find("a"), nullptr);
  EXPECT_GE(find("a")->problems.size(), 2U);
  EXPECT_TRUE(sink().source_problems.empty());
  const auto problems = find("a")->problems;
  restart();
  EXPECT_EQ(find("a")->problems, problems);
}

TEST_F(Folder, OfTwoFilesWithOneNameTheFirstIsTakenAndTheOtherReported) {
  write_file(file("a.yaml"), yaml_of("same", 2));
  write_file(file("b.yaml"), yaml_of("same", 5));
  start();
  EXPECT_EQ(find("same")->test.spec.worker.replicas, 2);
  ASSERT_NE(sink().problem("b.yaml"), nullptr);
  EXPECT_EQ(sink().problem("b.yaml")->message,
            "line 1: LoadTest default/same stands in a.yaml already and is taken from there; "
            "rename one of them");
  write_file(file("0.yaml"), yaml_of("same", 7));
  ASSERT_TRUE(sees([&] { return sink().problem("0.yaml") != nullptr; }));
  restart();
  EXPECT_EQ(find("same")->test.spec.worker.replicas, 2) << "the one that had it keeps it";
}

TEST_F(Folder, WhenTheFirstOfTwoGoesTheOtherTakesOver) {
  write_file(file("a.yaml"), yaml_of("same", 2));
  write_file(file("b.yaml"), yaml_of("same", 5));
  start();
  const std::string uid = find("same")->test.metadata.uid;
  fs::remove(file("a.yaml"));
  ASSERT_TRUE(sees([&] { return find("same")->test.spec.worker.replicas == 5; }));
  EXPECT_EQ(find("same")->test.metadata.uid, uid);
  EXPECT_FALSE(find("same")->test.metadata.deletion_timestamp.has_value());
  EXPECT_TRUE(sees([&] { return sink().source_problems.empty(); }));
}

TEST_F(Folder, ATestMovedToAnotherFileWhileTheDirectorIsDownIsTheSame) {
  write_file(file("b.yaml"), yaml_of("a"));
  start();
  const std::string uid = find("a")->test.metadata.uid;
  watch_.reset();
  fs::rename(file("b.yaml"), file("a.yaml"));
  restart();
  EXPECT_EQ(find("a")->test.metadata.uid, uid);
  EXPECT_FALSE(find("a")->test.metadata.deletion_timestamp.has_value());
}

TEST_F(Folder, AFileDeletedWhileTheDirectorIsDownIsDeleted) {
  write_file(file("a.yaml"), yaml_of("a"));
  start();
  watch_.reset();
  fs::remove(file("a.yaml"));
  restart();
  ASSERT_NE(find("a"), nullptr) << "kept for the clean-up";
  EXPECT_TRUE(find("a")->test.metadata.deletion_timestamp.has_value());
}

TEST_F(Folder, AFileThatComesBackDuringDeletionIsANewTest) {
  write_file(file("a.yaml"), yaml_of("a"));
  start();
  const std::string uid = find("a")->test.metadata.uid;
  fs::remove(file("a.yaml"));
  ASSERT_TRUE(sees([&] { return find("a")->test.metadata.deletion_timestamp.has_value(); }));
  write_file(file("a.yaml"), yaml_of("a", 6));
  write_file(file("b.yaml"), yaml_of("b"));
  ASSERT_TRUE(sees([&] { return find("b") != nullptr; }));
  EXPECT_TRUE(find("a")->test.metadata.deletion_timestamp.has_value());
  ASSERT_TRUE(wait(fixture_.store().finalize({"default", "a"}, uid)));
  ASSERT_TRUE(sees([&] { return find("a") != nullptr && find("a")->test.metadata.uid != uid; }));
  EXPECT_EQ(find("a")->test.spec.worker.replicas, 6);
  EXPECT_FALSE(find("a")->test.metadata.deletion_timestamp.has_value());
}

TEST_F(Folder, ACommentChangesNothing) {
  write_file(file("a.yaml"), yaml_of("a"));
  start();
  const auto before = find("a")->test.metadata;
  write_file(file("a.yaml"), "# a comment\n" + yaml_of("a"));
  write_file(file("b.yaml"), yaml_of("b"));
  ASSERT_TRUE(sees([&] { return find("b") != nullptr; }));
  EXPECT_EQ(find("a")->test.metadata, before);
}

TEST_F(Folder, AFileThatATestNamesMayComeLater) {
  write_file(file("a.yaml"), yaml_of("a") + "  files: [{path: ./plan.jmx}]\n");
  start();
  ASSERT_EQ(find("a")->problems.size(), 1U);
  EXPECT_EQ(find("a")->problems[0].path, "spec.files[0].path");
  EXPECT_EQ(find("a")->problems[0].message,
            "file \"./plan.jmx\" not found in " + fs::canonical(fixture_.folder()).string());
  write_file(file("plan.jmx"), "plan");
  ASSERT_TRUE(sees([&] { return find("a")->problems.empty(); }));
  const auto local = fixture_.store().local_file({"default", "a"}, "./plan.jmx");
  ASSERT_TRUE(local) << local.error().message;
  EXPECT_EQ(read_file(*local), "plan");
}

TEST_F(Folder, LocalFilesNeverLieOutside) {
  fs::create_directories(file("team"));
  write_file(file("team/a.yaml"), yaml_of("a"));
  write_file(file("secret.txt"), "secret");
  fs::create_symlink(file("secret.txt"), file("team/absolute"));
  fs::create_symlink("../secret.txt", file("team/relative"));
  write_file(file("team/inside.txt"), "fine");
  fs::create_symlink("inside.txt", file("team/link"));
  start();
  const auto kind = [&](const std::string& path) {
    const auto local = fixture_.store().local_file({"team", "a"}, path);
    return local ? ErrorKind::Internal : local.error().kind;
  };
  EXPECT_EQ(kind("../secret.txt"), ErrorKind::Forbidden);
  EXPECT_EQ(kind("absolute"), ErrorKind::Forbidden);
  EXPECT_EQ(kind("relative"), ErrorKind::Forbidden);
  EXPECT_EQ(kind("/etc/hostname"), ErrorKind::Forbidden);
  EXPECT_EQ(kind("."), ErrorKind::Invalid);
  EXPECT_EQ(kind("none"), ErrorKind::NotFound);
  EXPECT_EQ(read_file(fixture_.store().local_file({"team", "a"}, "link").value()), "fine");
}

TEST_F(Folder, TheDataFolderMayLieInside) {
  watch_.reset();
  fixture_.options().source = fixture_.folder().parent_path();
  fixture_.restart();
  write_file(file("a.yaml"), yaml_of("a"));
  fs::create_directories(fixture_.data());
  write_file(fixture_.data() / "not-a-test.yaml", yaml_of("copy"));
  start();
  EXPECT_NE(find("a", "tests"), nullptr);
  EXPECT_EQ(sink().objects.size(), 1U);
}

TEST_F(Folder, AFolderThatVanishesDeletesNothingAndMayComeBack) {
  write_file(file("a.yaml"), yaml_of("a"));
  start();
  fs::rename(fixture_.folder(), fixture_.folder().string() + ".away");
  ASSERT_TRUE(sees([&] { return sink().problem("stay as they were") != nullptr; }));
  EXPECT_FALSE(find("a")->test.metadata.deletion_timestamp.has_value());
  fs::rename(fixture_.folder().string() + ".away", fixture_.folder());
  ASSERT_TRUE(sees([&] { return sink().source_problems.empty(); }));
  write_file(file("a.yaml"), yaml_of("a", 8));
  ASSERT_TRUE(sees([&] { return find("a")->test.spec.worker.replicas == 8; }));
}

TEST_F(Folder, AFolderThatDoesNotExistEndsTheWatch) {
  fixture_.options().source = fixture_.folder() / "none";
  fixture_.restart();
  conformance::RecordingSink sink;
  const auto result = wait(fixture_.store().watch(sink));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::NotFound);
  EXPECT_NE(result.error().message.find("none: no such file or folder"), std::string::npos);
}

TEST_F(Folder, OneFileIsAStoreToo) {
  write_file(file("a.yaml"), yaml_of("a"));
  write_file(file("b.yaml"), yaml_of("b"));
  start();  // the folder first, so that the data knows both
  const std::string uid = find("a")->test.metadata.uid;
  watch_.reset();
  fixture_.options().source = file("a.yaml");
  restart();
  EXPECT_EQ(sink().objects.size(), 1U);
  EXPECT_EQ(find("a")->test.metadata.uid, uid);
  EXPECT_TRUE(fs::exists(fixture_.record("b"))) << "another file's test is left alone";
  write_file(file("a.yaml"), yaml_of("a", 3));
  ASSERT_TRUE(sees([&] { return find("a")->test.spec.worker.replicas == 3; }));
  EXPECT_EQ(wait(fixture_.store().create(conformance::load_test("c"))).error().kind,
            ErrorKind::Forbidden);
}

TEST_F(Folder, ReplacingOneDocumentLeavesTheOthersAlone) {
  write_file(file("many.yaml"), "# kept\n" + yaml_of("a") + "---\n" + yaml_of("b"));
  start();
  auto test = find("b")->test;
  test.spec.worker.replicas = 11;
  ASSERT_TRUE(wait(fixture_.store().replace(test)));
  EXPECT_TRUE(read_file(file("many.yaml")).starts_with("# kept\n" + yaml_of("a") + "---\n"));
  ASSERT_TRUE(wait(fixture_.store().remove({"default", "a"}, find("a")->test.metadata.uid)));
  EXPECT_FALSE(read_file(file("many.yaml")).contains("# kept"));
  EXPECT_EQ(find("b")->test.spec.worker.replicas, 11);
  EXPECT_FALSE(find("b")->test.metadata.deletion_timestamp.has_value());
}

TEST_F(Folder, AnInvalidTestIsNotCreated) {
  start();
  auto test = conformance::load_test("a");
  test.spec.worker.replicas = -1;
  const auto made = wait(fixture_.store().create(test));
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().kind, ErrorKind::Invalid);
  EXPECT_NE(made.error().message.find("spec.worker.replicas"), std::string::npos);
  EXPECT_FALSE(fs::exists(file("a.yaml")));
}

/// The effective user is another while it lives: root is refused nothing.
class AsNobody {
 public:
  AsNobody() { active_ = ::geteuid() != 0 || ::seteuid(65534) == 0; }
  ~AsNobody() {
    if (active_ && ::getuid() == 0) (void)::seteuid(0);
  }
  AsNobody(const AsNobody&) = delete;
  AsNobody& operator=(const AsNobody&) = delete;
  explicit operator bool() const { return active_; }

 private:
  bool active_ = false;
};

TEST_F(Folder, AReadOnlyFolderWorksAndRefusesWritesClearly) {
  write_file(file("a.yaml"), yaml_of("a"));
  fs::create_directories(fixture_.data());
  fs::permissions(fixture_.folder().parent_path(), fs::perms(0755));
  fs::permissions(fixture_.data(), fs::perms(0777));
  fs::permissions(fixture_.folder(), fs::perms(0555));
  const AsNobody nobody;
  ASSERT_TRUE(nobody);
  start();
  const auto& meta = find("a")->test.metadata;
  EXPECT_TRUE(
      wait(fixture_.store().update_status({"default", "a"}, meta.uid, meta.resource_version, {})));
  const auto made = wait(fixture_.store().create(conformance::load_test("b")));
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().kind, ErrorKind::Forbidden);
  EXPECT_NE(made.error().message.find("is read-only for the director"), std::string::npos);
  auto test = find("a")->test;
  EXPECT_EQ(wait(fixture_.store().replace(test)).error().kind, ErrorKind::Forbidden);
  EXPECT_EQ(wait(fixture_.store().remove({"default", "a"}, test.metadata.uid)).error().kind,
            ErrorKind::Forbidden);
  EXPECT_FALSE(find("a")->test.metadata.deletion_timestamp.has_value());
}

TEST_F(Folder, AnUnreadableFileIsReportedAndReadWhenItCanBe) {
  write_file(file("a.yaml"), yaml_of("a"));
  write_file(file("b.yaml"), yaml_of("b"));
  fs::create_directories(fixture_.data());
  fs::permissions(fixture_.folder().parent_path(), fs::perms(0755));
  fs::permissions(fixture_.data(), fs::perms(0777));
  fs::permissions(file("a.yaml"), fs::perms(0));
  {
    const AsNobody nobody;
    ASSERT_TRUE(nobody);
    start();
    EXPECT_EQ(find("a"), nullptr);
    EXPECT_NE(find("b"), nullptr);
    ASSERT_NE(sink().problem("a.yaml"), nullptr);
    EXPECT_NE(sink().problem("permission denied"), nullptr);
    if (::getuid() == 0) (void)::seteuid(0);
    fs::permissions(file("a.yaml"), fs::perms(0644));
    if (::getuid() == 0) (void)::seteuid(65534);
    EXPECT_TRUE(sees([&] { return find("a") != nullptr; }));
    EXPECT_TRUE(sink().source_problems.empty());
  }
}

}  // namespace
}  // namespace atq::stores::directory

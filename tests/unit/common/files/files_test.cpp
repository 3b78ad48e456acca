#include "common/files/files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <optional>
#include <thread>

#include "tests/support/temp_dir.h"

namespace backstay {
namespace {

class Files : public ::testing::Test {
protected:
    std::string at(const std::string& name) const { return folder_.path() + "/" + name; }
    static unsigned mode_of(const std::string& path) {
        struct stat info {};
        EXPECT_EQ(::stat(path.c_str(), &info), 0);
        return info.st_mode & 07777U;
    }
    std::size_t entries() const {
        const std::filesystem::directory_iterator all(folder_.path());
        return static_cast<std::size_t>(std::distance(begin(all), end(all)));
    }
    testing::TempDir folder_;
};

TEST_F(Files, AtomicWriteReplacesContentAndModeAndLeavesNothingBeside) {
    ASSERT_TRUE(atomic_write(at("a"), "one", 0644));
    ASSERT_TRUE(atomic_write(at("a"), "two", 0600));
    EXPECT_EQ(*read_file(at("a")), "two");
    EXPECT_EQ(mode_of(at("a")), 0600U);
    EXPECT_EQ(entries(), 1U);
}

TEST_F(Files, AtomicWriteThatCannotReplaceLeavesTheOldThingAndNoTemporaryFile) {
    ASSERT_TRUE(make_folders(at("taken/inside")));
    EXPECT_FALSE(atomic_write(at("taken"), "x"));
    EXPECT_EQ(entries(), 1U);
    EXPECT_EQ(atomic_write(at("missing/a"), "x").error().code(), Errc::not_found);
}

TEST_F(Files, AReaderNeverSeesAPartOfAReplacedFile) {
    const std::string small(10, 'a');
    const std::string large(300'000, 'b');
    ASSERT_TRUE(atomic_write(at("a"), small));
    std::jthread writer([&] {
        for (int i = 0; i < 20; ++i) ASSERT_TRUE(atomic_write(at("a"), i % 2 == 0 ? large : small));
    });
    for (int i = 0; i < 200; ++i) {
        const std::string seen = *read_file(at("a"));
        ASSERT_TRUE(seen == small || seen == large) << seen.size();
    }
}

TEST_F(Files, ReadFileRefusesWhatIsTooLargeAbsentOrNoFile) {
    ASSERT_TRUE(atomic_write(at("a"), "12345"));
    EXPECT_EQ(*read_file(at("a"), 5), "12345");
    EXPECT_EQ(read_file(at("a"), 4).error().code(), Errc::exhausted);
    EXPECT_EQ(read_file(at("b")).error().code(), Errc::not_found);
    EXPECT_EQ(read_file(folder_.path()).error().code(), Errc::invalid);
    ASSERT_EQ(::mkfifo(at("fifo").c_str(), 0600), 0);
    EXPECT_EQ(read_file(at("fifo")).error().code(), Errc::invalid);
}

TEST_F(Files, ASecretFileMustNotBeReadableByOthersNorWritableByTheGroup) {
    ASSERT_TRUE(atomic_write(at("s"), "secret\r\n", 0600));
    EXPECT_EQ(*read_secret_file(at("s")), "secret");
    ASSERT_TRUE(atomic_write(at("s"), "secret\n", 0640));
    EXPECT_TRUE(read_secret_file(at("s")));
    for (const unsigned mode : {0644U, 0604U, 0660U, 0602U, 0601U}) {
        ASSERT_TRUE(atomic_write(at("s"), "secret\n", mode));
        auto read = read_secret_file(at("s"));
        ASSERT_FALSE(read) << mode;
        EXPECT_EQ(read.error().code(), Errc::denied);
        EXPECT_EQ(read.error().message().find("secret\n"), std::string::npos);
        EXPECT_FALSE(read.error().hint().empty());
    }
    ASSERT_TRUE(atomic_write(at("s"), "\n", 0600));
    EXPECT_EQ(read_secret_file(at("s")).error().code(), Errc::invalid);
}

TEST_F(Files, MakeFoldersMakesParentsAndAcceptsWhatIsThere) {
    EXPECT_TRUE(make_folders(at("a/b/c"), 0750));
    EXPECT_TRUE(make_folders(at("a/b/c")));
    EXPECT_EQ(mode_of(at("a/b/c")), 0750U);
    ASSERT_TRUE(atomic_write(at("file"), ""));
    EXPECT_FALSE(make_folders(at("file")));
    EXPECT_FALSE(make_folders(at("file/below")));
}

TEST_F(Files, TempDirRemovesItselfUnlessReleased) {
    std::string path;
    {
        auto folder = TempDir::create(at("scratch"), "job-");
        ASSERT_TRUE(folder);
        path = folder->path();
        EXPECT_EQ(mode_of(path), 0700U);
        ASSERT_TRUE(make_folders(path + "/deep/er"));
        ASSERT_TRUE(atomic_write(path + "/deep/file", "x"));
        TempDir moved = std::move(*folder);
        EXPECT_TRUE(std::filesystem::exists(path));
    }
    EXPECT_FALSE(std::filesystem::exists(path));
    { path = TempDir::create(at("scratch"))->release(); }
    EXPECT_TRUE(std::filesystem::exists(path));
}

TEST_F(Files, AFileLockIsExclusiveAndNamesItsHolder) {
    {
        auto first = FileLock::acquire(at("lock"));
        ASSERT_TRUE(first);
        auto second = FileLock::acquire(at("lock"));
        ASSERT_FALSE(second);
        EXPECT_EQ(second.error().code(), Errc::conflict);
        EXPECT_NE(second.error().message().find(std::to_string(::getpid())), std::string::npos);
    }
    EXPECT_TRUE(FileLock::acquire(at("lock")));
}

TEST_F(Files, AFileLockWaitsForAHolderThatIsEnding) {
    std::optional<FileLock> held(std::move(*FileLock::acquire(at("lock"))));
    std::promise<void> tried;
    auto second = std::async(std::launch::async, [&] {
        EXPECT_FALSE(FileLock::acquire(at("lock")));
        tried.set_value();
        return FileLock::acquire(at("lock"), std::chrono::seconds(60)).has_value();
    });
    tried.get_future().wait();
    held.reset();
    EXPECT_TRUE(second.get());
}

TEST_F(Files, FreeSpaceAnswersForAPathThatIsNotThereYet) {
    auto space = free_space(at("not/yet/there"));
    ASSERT_TRUE(space);
    EXPECT_GT(space->total_bytes, 0U);
    EXPECT_LE(space->free_bytes, space->total_bytes);
}

}  // namespace
}  // namespace backstay

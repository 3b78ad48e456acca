// What the contract suite cannot ask of every store: links, limits and remains in a real folder.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "common/domain/reasons.h"
#include "storage/destination.h"
#include "tests/support/streams.h"
#include "tests/support/temp_dir.h"

namespace backstay {

namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::PatternSource;
using testing::TempDir;

class DirectoryStorage : public ::testing::Test {
protected:
    DirectoryStorage() : root_(folder_.path() + "/objects"), storage_(open(root_)) {}

    std::unique_ptr<Storage> open(const std::string& path, std::uint64_t min_free_bytes = 0,
                                  std::stop_token stop = {}) {
        Destination destination;
        destination.type = "local";
        destination.local = LocalConfig{path, min_free_bytes};
        StorageContext context;
        context.local_roots = {folder_.path()};
        context.stop = std::move(stop);
        auto storage = open_storage(destination, context);
        EXPECT_TRUE(storage) << storage.error().message();
        return storage ? std::move(storage).value() : nullptr;
    }
    static Result<ObjectInfo> put(Storage& storage, const std::string& key, std::uint64_t bytes = 10) {
        PatternSource source(bytes, 1);
        return storage.put(key, source, {});
    }
    std::size_t unfinished() const {
        const fs::path folder = root_ + "/.backstay-unfinished";
        return fs::exists(folder) ? static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), {})) : 0;
    }

    TempDir folder_;
    std::string root_;
    std::unique_ptr<Storage> storage_;
};

void expect_error(const Error& error, Errc code, std::string_view why) {
    EXPECT_EQ(to_string(error.code()), to_string(code)) << error.message();
    EXPECT_EQ(error.reason(), why) << error.message();
}

}  // namespace

TEST_F(DirectoryStorage, FollowsNoSymbolicLink) {
    ASSERT_TRUE(put(*storage_, "a/real"));
    TempDir outside;
    std::ofstream(outside.path() + "/secret") << "secret";
    fs::create_symlink(outside.path() + "/secret", root_ + "/link");
    fs::create_directory_symlink(outside.path(), root_ + "/folder");
    StringSink sink(100);
    for (const char* key : {"link", "folder/secret"}) {
        const auto got = storage_->get(key, {}, sink);
        ASSERT_FALSE(got) << key;
        EXPECT_EQ(got.error().code(), Errc::denied);
        EXPECT_THAT(got.error().message(), HasSubstr("a symbolic link is in the way"));
    }
    EXPECT_EQ(sink.text(), "");
    EXPECT_FALSE(put(*storage_, "folder/new"));
    EXPECT_FALSE(fs::exists(outside.path() + "/new"));
    const auto page = storage_->list({});
    ASSERT_TRUE(page);
    ASSERT_EQ(page->objects.size(), 1U);
    EXPECT_EQ(page->objects[0].key, "a/real");
}

TEST_F(DirectoryStorage, TakesNeitherPipesNorFoldersForObjects) {
    ASSERT_TRUE(put(*storage_, "folder/object"));
    ASSERT_EQ(::mkfifo((root_ + "/pipe").c_str(), 0600), 0);
    for (const char* key : {"pipe", "folder", "folder/object/deeper"}) {
        EXPECT_EQ(storage_->stat(key).error().reason(), reason::kRemoteMissing) << key;
        EXPECT_TRUE(storage_->remove(key)) << key;
    }
    EXPECT_TRUE(storage_->stat("folder/object"));
    EXPECT_EQ(put(*storage_, "folder/object/deeper").error().code(), Errc::conflict);
}

TEST_F(DirectoryStorage, KeepsTheFreeSpaceThatItWasToldTo) {
    const auto greedy = open(root_, 1ULL << 60);
    const auto stored = put(*greedy, "object");
    ASSERT_FALSE(stored);
    expect_error(stored.error(), Errc::exhausted, reason::kDestinationFull);
    EXPECT_THAT(stored.error().hint(), HasSubstr("minFreeBytes"));
    EXPECT_EQ(greedy->free_bytes().value(), 0U);
    EXPECT_GT(storage_->free_bytes().value().value_or(0), 0U);
    PatternSource source(10, 1);
    PutOptions huge;
    huge.expected_bytes = 1ULL << 60;
    EXPECT_EQ(storage_->put("object", source, huge).error().reason(), reason::kDestinationFull);
    EXPECT_EQ(unfinished(), 0U);
}

TEST_F(DirectoryStorage, LeavesNothingWhenTheDiskTakesNoMore) {
    // The limit on a file's size answers as a full disk does, in the middle of a write.
    ::signal(SIGXFSZ, SIG_IGN);
    rlimit before{};
    ::getrlimit(RLIMIT_FSIZE, &before);
    const rlimit small = {1 << 20, before.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
    const auto stored = put(*storage_, "object", 3 << 20);
    ::setrlimit(RLIMIT_FSIZE, &before);
    ASSERT_FALSE(stored);
    expect_error(stored.error(), Errc::exhausted, reason::kDestinationFull);
    EXPECT_EQ(unfinished(), 0U);
    EXPECT_FALSE(storage_->stat("object"));
    EXPECT_TRUE(put(*storage_, "object", 3 << 20));
}

TEST_F(DirectoryStorage, SweepsWhatAKilledWriterLeft) {
    ASSERT_TRUE(put(*storage_, "object"));
    std::ofstream(root_ + "/.backstay-unfinished/dead") << "half an object";
    fs::create_directory(root_ + "/.backstay-unfinished/folder");
    const TimeMs now = SystemClock().now_ms();
    EXPECT_EQ(storage_->sweep_leftovers(now - 3'600'000).value_or(9), 0U);
    EXPECT_EQ(storage_->sweep_leftovers(now + 3'600'000).value_or(9), 1U);
    EXPECT_FALSE(fs::exists(root_ + "/.backstay-unfinished/dead"));
    EXPECT_TRUE(storage_->stat("object"));
}

// Another job, or another host on the same share, sweeps while this one writes slowly.
TEST_F(DirectoryStorage, SweepsNothingThatIsBeingWritten) {
    class Swept final : public Source {
    public:
        Swept(Storage& sweeper, std::uint64_t bytes) : sweeper_(sweeper), inner_(bytes, 1) {}
        Result<std::size_t> read(MutableByteSpan buffer) override {
            removed += TRY(sweeper_.sweep_leftovers(SystemClock().now_ms() + 3'600'000));
            return inner_.read(buffer);
        }
        std::uint64_t removed = 0;

    private:
        Storage& sweeper_;
        PatternSource inner_;
    };
    const auto other = open(root_);
    Swept source(*other, 1000);
    const auto stored = storage_->put("object", source, {});
    ASSERT_TRUE(stored) << stored.error().message();
    EXPECT_EQ(source.removed, 0U);
    EXPECT_TRUE(storage_->stat("object"));
    EXPECT_EQ(unfinished(), 0U);
}

// Removing the last object of a folder removes the folder, perhaps in the very moment in which a put made or found it.
TEST_F(DirectoryStorage, PutsBesideRemovalsInTheSameFolders) {
    std::atomic<bool> done = false;
    std::string failure;
    std::thread beside([&] {
        const auto other = open(root_);
        while (!done && failure.empty()) {
            if (const auto stored = put(*other, "a/b/c/d/e/other"); !stored) failure = stored.error().message();
            if (const auto removed = other->remove("a/b/c/d/e/other"); !removed) failure = removed.error().message();
        }
    });
    for (int i = 0; i < 400; ++i) {
        const auto stored = put(*storage_, "a/b/c/d/e/object");
        EXPECT_TRUE(stored) << i << ": " << stored.error().message();
        const auto removed = storage_->remove("a/b/c/d/e/object");
        EXPECT_TRUE(removed) << i << ": " << removed.error().message();
        if (!stored || !removed) break;
    }
    done = true;
    beside.join();
    EXPECT_EQ(failure, "");
}

TEST_F(DirectoryStorage, IsUnreachableWhereNoFolderIs) {
    const auto lost = open(folder_.path() + "/not/mounted");
    for (const Error& error : {put(*lost, "object").error(), lost->stat("object").error(), lost->list({}).error(),
                               lost->remove("object").error()}) {
        expect_error(error, Errc::unavailable, reason::kDestinationUnreachable);
        EXPECT_THAT(error.message(), HasSubstr("/not/mounted"));
    }
    std::ofstream(folder_.path() + "/file") << "x";
    EXPECT_THAT(put(*open(folder_.path() + "/file"), "object").error().message(), HasSubstr("is a file, not a folder"));
    EXPECT_TRUE(put(*open(folder_.path() + "//made/"), "object")) << "the last segment is made";
    EXPECT_TRUE(fs::exists(folder_.path() + "/made/object"));
    EXPECT_TRUE(put(*open(folder_.path()), "at-the-root"));
}

TEST_F(DirectoryStorage, RefusesKeysThatFilesCannotHave) {
    for (const std::string& key : {std::string(".backstay-unfinished/x"), std::string("lost+found/x"),
                                   std::string("a/") + std::string(256, 'k')}) {
        EXPECT_EQ(put(*storage_, key).error().code(), Errc::invalid) << key;
    }
    EXPECT_TRUE(put(*storage_, "a/" + std::string(255, 'k')));
    EXPECT_EQ(storage_->presign_get("a", 60, "").value(), std::nullopt);
}

TEST_F(DirectoryStorage, PassesOverNamesThatAreNoKeys) {
    ASSERT_TRUE(put(*storage_, "good"));
    for (const char* name : {"new\nline", "back\\slash", "\xFF"}) std::ofstream(root_ + "/" + name) << "x";
    const auto page = storage_->list({});
    ASSERT_TRUE(page);
    EXPECT_EQ(page->objects.size(), 1U);
}

TEST_F(DirectoryStorage, EndsWhenItIsToStop) {
    ASSERT_TRUE(put(*storage_, "object"));
    std::stop_source stop;
    const auto stopped = open(root_, 0, stop.get_token());
    stop.request_stop();
    EXPECT_EQ(put(*stopped, "other").error().code(), Errc::cancelled);
    StringSink sink(100);
    EXPECT_EQ(stopped->get("object", {}, sink).error().code(), Errc::cancelled);
    EXPECT_EQ(stopped->list({}).error().code(), Errc::cancelled);
    EXPECT_EQ(unfinished(), 0U);
}

TEST_F(DirectoryStorage, NoticesAFileThatShrinksWhileItIsRead) {
    ASSERT_TRUE(put(*storage_, "object", 1 << 20));
    class Truncating final : public Sink {
    public:
        explicit Truncating(std::string path) : path_(std::move(path)) {}
        Result<> write(ByteSpan) override {
            fs::resize_file(path_, 1000);
            return {};
        }

    private:
        std::string path_;
    } sink(root_ + "/object");
    const auto got = storage_->get("object", {}, sink);
    ASSERT_FALSE(got);
    expect_error(got.error(), Errc::corrupted, reason::kRemoteCorrupt);
}

}  // namespace backstay

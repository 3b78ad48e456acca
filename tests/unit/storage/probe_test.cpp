#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/domain/reasons.h"
#include "storage/destination.h"
#include "tests/support/memory_storage.h"
#include "tests/support/temp_dir.h"

namespace backstay {

using ::testing::HasSubstr;
using testing::MemoryStorage;
using testing::TempDir;

namespace {

// A memory of which one faculty is broken.
class Broken final : public Storage {
public:
    enum class What { write, read, content, list, remove, lock };
    explicit Broken(What what) : what_(what) {}

    MemoryStorage& memory() { return memory_; }

    std::string_view kind() const override { return memory_.kind(); }
    Result<ObjectInfo> put(std::string_view key, Source& content, const PutOptions& options) override {
        if (what_ == What::write) return refused();
        retain = options.retain;
        return memory_.put(key, content, options);
    }
    Result<> get(std::string_view key, const ByteRange& range, Sink& into) override {
        if (what_ == What::read) return refused();
        if (what_ == What::content) return into.write(as_bytes("other"));
        return memory_.get(key, range, into);
    }
    Result<ObjectInfo> stat(std::string_view key) override { return memory_.stat(key); }
    Result<ListPage> list(const ListQuery& query) override {
        if (what_ == What::list) return ListPage{};
        return memory_.list(query);
    }
    Result<> remove(std::string_view key) override {
        if (what_ == What::remove) return refused();
        if (what_ == What::lock) return Error(Errc::denied, "locked").with_reason(reason::kRemoteImmutable);
        return memory_.remove(key);
    }
    Result<std::uint64_t> sweep_leftovers(TimeMs time) override { return memory_.sweep_leftovers(time); }
    Result<std::optional<std::uint64_t>> free_bytes() override { return memory_.free_bytes(); }
    Result<std::optional<std::string>> presign_get(std::string_view key, std::uint32_t seconds,
                                                   std::string_view name) override {
        return memory_.presign_get(key, seconds, name);
    }

    bool retain = true;

private:
    static Error refused() { return Error(Errc::denied, "no").with_reason(reason::kDestinationAuthFailed); }
    What what_;
    MemoryStorage memory_;
};

}  // namespace

TEST(Probe, NamesTheStageThatFailed) {
    const std::vector<std::tuple<Broken::What, std::string, std::string_view>> cases = {
        {Broken::What::write, "write a test object: no", reason::kDestinationAuthFailed},
        {Broken::What::read, "read back the test object: no", reason::kDestinationAuthFailed},
        {Broken::What::content, "came back with other content", reason::kRemoteCorrupt},
        {Broken::What::list, "missing in the listing", reason::kRemoteCorrupt},
        {Broken::What::remove, "remove the test object: no", reason::kDestinationAuthFailed}};
    for (const auto& [what, message, why] : cases) {
        Broken storage(what);
        const auto probed = probe_storage(storage);
        ASSERT_FALSE(probed) << message;
        EXPECT_THAT(probed.error().message(), HasSubstr(message));
        EXPECT_EQ(probed.error().reason(), why) << message;
        EXPECT_EQ(storage.memory().objects().empty(), what != Broken::What::remove) << message;
    }
}

TEST(Probe, ContentsItselfWithAStoreThatKeepsEverything) {
    Broken storage(Broken::What::lock);
    EXPECT_TRUE(probe_storage(storage));
    EXPECT_FALSE(storage.retain) << "no lock of our own on a test object";
}

TEST(OpenStorage, RefusesWhatItHasNoDriverFor) {
    Destination destination;
    destination.name = "drive";
    destination.type = "google_drive";
    const auto opened = open_storage(destination, {});
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().reason(), kDestinationTypeUnsupported);
    EXPECT_THAT(opened.error().message(), HasSubstr("open destination 'drive'"));
    destination.type = "s3";
    EXPECT_FALSE(open_storage(destination, {})) << "type without its configuration";
}

TEST(OpenStorage, RefusesAnS3EndpointOrPrefixThatIsNone) {
    Destination destination;
    destination.type = "s3_compatible";
    destination.s3 = S3Config{};
    destination.s3->bucket = "bucket";
    destination.s3->endpoint = "ftp://host";
    EXPECT_EQ(open_storage(destination, {}).error().code(), Errc::invalid);
    destination.s3->endpoint = "https://host";
    destination.s3->prefix = "a/../b";
    EXPECT_EQ(open_storage(destination, {}).error().code(), Errc::invalid);
    destination.s3->prefix = "a/b/";
    const auto opened = open_storage(destination, {});
    ASSERT_TRUE(opened);
    EXPECT_EQ((*opened)->kind(), "s3");
    EXPECT_EQ((*opened)->stat(std::string(1022, 'k')).error().code(), Errc::invalid) << "too long with its prefix";
    EXPECT_EQ((*opened)->free_bytes().value(), std::nullopt);
}

TEST(OpenStorage, KeepsALocalPathInsideTheAllowedFolders) {
    TempDir folder;
    Destination destination;
    destination.type = "local";
    StorageContext context;
    context.local_roots = {folder.path()};
    for (const char* path : {"relative", "/etc", "/tmp/a/../b"}) {
        destination.local = LocalConfig{path, 0};
        EXPECT_FALSE(open_storage(destination, context)) << path;
    }
    destination.local = LocalConfig{folder.path() + "/inside", 0};
    EXPECT_TRUE(open_storage(destination, context));
    context.local_roots.clear();
    const auto nowhere = open_storage(destination, context);
    ASSERT_FALSE(nowhere) << "an empty list allows nothing";
    EXPECT_EQ(nowhere.error().code(), Errc::denied);
}

}  // namespace backstay

// The archive at real destinations: folders of this host.
#include <gtest/gtest.h>

#include <filesystem>

#include "agent/jobs/base/archive_view.h"
#include "agent/jobs/destinations.h"
#include "common/clock.h"
#include "common/files/files.h"
#include "tests/support/made_wal.h"
#include "tests/support/temp_dir.h"

namespace backstay::base {
namespace {

using backstay::testing::MadeWal;

constexpr std::string_view kFolder = "v1/local/clusters/7000000000000000001";
constexpr std::string_view kSegment = "000000010000000000000001";

class ArchivePlacesTest : public ::testing::Test {
protected:
    void SetUp() override {
        config_.local_roots = {folder_.path()};
        destination_.id = destination_.name = "store";
        destination_.type = "local";
        destination_.config["path"] = folder_.path() + "/store";
        std::filesystem::create_directory(folder_.path() + "/store");
        MadeWal made;
        made.commit(1'767'355'200'000);
        content_ = made.segment();
        wal::Packer packer(1);
        StringSource source(content_);
        const auto name = wal::parse_wal_name(std::string(kSegment)).value();
        const auto object = packer.pack(source, {name, made.system_id, content_.size(), nullptr});
        ASSERT_TRUE(object.has_value()) << object.error().message();
        const auto storage = open_destination(destination_, host_, {});
        ASSERT_TRUE(storage.has_value()) << storage.error().message();
        ASSERT_TRUE(wal::Archive(**storage, std::string(kFolder), nullptr).put(*object, false));
    }

    Result<ArchivePlaces> open() {
        return ArchivePlaces::open({destination_}, std::string(kFolder), nullptr, host_, {});
    }

    testing::TempDir folder_;
    AgentConfig config_;
    SystemClock clock_;
    std::atomic<std::uint64_t> rate_{0};
    JobHost host_{config_, "agent-1", "0.1.0", clock_, rate_};
    DestinationOrder destination_;
    std::string content_;
};

TEST_F(ArchivePlacesTest, WritesAFileAnewAndNotThroughALinkThatSomebodyLeftInItsPlace) {
    const std::string victim = folder_.path() + "/victim";
    const std::string path = folder_.path() + "/segment.part";
    ASSERT_TRUE(atomic_write(victim, "untouched", 0600));
    std::filesystem::create_symlink(victim, path);
    auto places = open();
    ASSERT_TRUE(places.has_value()) << places.error().message();
    const auto got = places->get(std::string(kSegment), path);
    ASSERT_TRUE(got.has_value()) << got.error().message();
    EXPECT_EQ(read_file(victim, 64 << 20).value(), "untouched");
    EXPECT_FALSE(std::filesystem::is_symlink(path));
    EXPECT_EQ(read_file(path, 64 << 20).value(), content_);
}

}  // namespace
}  // namespace backstay::base

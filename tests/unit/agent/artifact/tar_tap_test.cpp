#include "agent/artifact/tar_tap.h"

#include <gtest/gtest.h>

#include "agent/artifact/tar_writer.h"

namespace backstay {
namespace {

std::string tar_of(const std::map<std::string, std::string>& members) {
    StringSink out(1 << 24);
    auto tar = TarWriter::open(out).value();
    for (const auto& [name, content] : members) {
        EXPECT_TRUE(tar->add({name, content.size(), 0, 0600}, as_bytes(content)));
    }
    EXPECT_TRUE(tar->finish());
    return out.take();
}

Result<> feed(TarTap& tap, std::string_view text, std::size_t piece) {
    for (; !text.empty(); text.remove_prefix(std::min(piece, text.size())))
        TRY(tap.take(as_bytes(text.substr(0, piece))));
    return tap.finish();
}

const std::map<std::string, std::string> kMembers = {{"backup_label", "START"},
                                                     {"base/1/2", std::string(70'000, 'x')},
                                                     {"empty", ""},
                                                     {"exact", std::string(512, 'y')},
                                                     {"global/pg_control", std::string(8192, 'z')}};

TEST(TarTap, HandsOutMembersWhateverThePieces) {
    const std::string tar = tar_of(kMembers);
    for (const std::size_t piece : {1UL, 7UL, 511UL, 512UL, 513UL, 4096UL, tar.size()}) {
        StringSink label(100);
        StringSink control(10'000);
        StringSink empty(10);
        TarTap tap({{"backup_label", &label}, {"global/pg_control", &control}, {"empty", &empty}});
        ASSERT_TRUE(feed(tap, tar, piece)) << piece;
        EXPECT_EQ(label.text(), "START");
        EXPECT_EQ(control.text(), kMembers.at("global/pg_control"));
        EXPECT_EQ(empty.text(), "");
        EXPECT_EQ(tap.members(), kMembers.size());
    }
}

TEST(TarTap, SeesThatTheEndIsMissing) {
    const std::string tar = tar_of(kMembers);
    for (const std::size_t length : {0UL, 100UL, 512UL, 40'000UL}) {
        TarTap tap({});
        EXPECT_FALSE(feed(tap, std::string_view(tar).substr(0, length), 4096)) << length;
    }
}

TEST(TarTap, MissesAMemberThatIsNotThereOrThereTwice) {
    StringSink sink(100);
    TarTap absent({{"backup_manifest", &sink}});
    EXPECT_FALSE(feed(absent, tar_of(kMembers), 4096));
    StringSink out(1 << 20);
    auto tar = TarWriter::open(out).value();
    for (int i = 0; i < 2; ++i) ASSERT_TRUE(tar->add({"backup_label", 1, 0, 0600}, as_bytes("a")));
    ASSERT_TRUE(tar->finish());
    TarTap twice({{"backup_label", &sink}});
    EXPECT_FALSE(feed(twice, out.text(), 4096));
}

TEST(TarTap, RefusesWhatIsNoTar) {
    TarTap tap({});
    EXPECT_FALSE(tap.take(as_bytes(std::string(1024, 'n'))));
    std::string tar = tar_of(kMembers);
    tar[3] = '!';
    TarTap changed({});
    EXPECT_FALSE(changed.take(as_bytes(tar)));
}

}  // namespace
}  // namespace backstay

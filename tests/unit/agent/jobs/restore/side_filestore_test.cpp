// A filestore united out of several archives, one of which may be damaged at one of its destinations.
#include "agent/jobs/restore/side_filestore.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "agent/artifact/tar_writer.h"
#include "common/crypto/digest.h"
#include "common/files/files.h"
#include "tests/support/temp_dir.h"

namespace backstay::restore {
namespace {

std::string name_of(const std::string& content) {
    const std::string sha1 = digest_hex(DigestKind::sha1, as_bytes(content));
    return sha1.substr(0, 2) + "/" + sha1;
}

std::string archive_of(const std::vector<std::pair<std::string, std::string>>& files) {
    StringSink out(16 << 20);
    auto tar = TarWriter::open(out).value();
    for (const auto& [name, content] : files) EXPECT_TRUE(tar->add({name, content.size(), 0, 0644}, as_bytes(content)));
    EXPECT_TRUE(tar->finish());
    return out.take();
}

// An artifact whose digest turns out wrong after so many bytes.
class BreakingSource final : public Source {
public:
    BreakingSource(const std::string& text, std::size_t good) : source_(text), left_(good) {}
    Result<std::size_t> read(MutableByteSpan buffer) override {
        if (left_ == 0) return Error(Errc::corrupted, "the digest differs");
        const std::size_t count = TRY(source_.read(buffer.first(std::min(buffer.size(), left_))));
        left_ -= count;
        return count;
    }

private:
    StringSource source_;
    std::size_t left_;
};

class SideFilestore : public ::testing::Test {
protected:
    void SetUp() override {
        making_.folder = folder_.path() + "/side";
        making_.owner = {getuid(), getgid()};
        ASSERT_TRUE(begin_filestore(making_));
        making_.add = true;
    }
    std::string content_of(const std::string& name) {
        return read_file(making_.folder + "/" + name, 16 << 20).value_or("absent");
    }

    const std::string content_ = std::string(1 << 20, 'a');
    testing::TempDir folder_;
    FilestoreMaking making_;
};

TEST_F(SideFilestore, TakesAFileThatOneDestinationCutOffWholeFromTheNext) {
    const std::string archive = archive_of({{name_of(content_), content_}});
    BreakingSource broken(archive, archive.size() / 2);
    ASSERT_FALSE(make_filestore(broken, making_));
    StringSource sound(archive);
    const auto made = make_filestore(sound, making_);
    ASSERT_TRUE(made.has_value()) << made.error().message();
    EXPECT_EQ(made->files, 1U);
    EXPECT_TRUE(content_of(name_of(content_)) == content_);
}

TEST_F(SideFilestore, TakesAFileThatWasWrongAtOneDestinationFromTheNext) {
    const std::string wrong = archive_of({{name_of(content_), "something else"}});
    StringSource first(wrong);
    ASSERT_FALSE(make_filestore(first, making_));
    const std::string right = archive_of({{name_of(content_), content_}});
    StringSource second(right);
    ASSERT_TRUE(make_filestore(second, making_));
    EXPECT_TRUE(content_of(name_of(content_)) == content_);
}

TEST_F(SideFilestore, ReplacesAFileThatOneArchiveHasDamagedByASoundOne) {
    const std::string name = name_of(content_);
    const std::string damaged = archive_of({{name, "something else"}});
    const std::string sound = archive_of({{name, content_}});
    std::set<std::string> known;
    making_.damaged = &known;
    making_.known_damaged = {name};
    StringSource first(damaged);
    ASSERT_TRUE(make_filestore(first, making_));
    EXPECT_EQ(known, std::set<std::string>{name});
    // Damaged in the second archive, too: it stays as it is.
    StringSource again(damaged);
    ASSERT_TRUE(make_filestore(again, making_));
    EXPECT_EQ(known, std::set<std::string>{name});
    making_.known_damaged.clear();
    StringSource second(sound);
    ASSERT_TRUE(make_filestore(second, making_));
    EXPECT_TRUE(known.empty());
    EXPECT_TRUE(content_of(name) == content_);
    // A sound one is never replaced.
    making_.known_damaged = {name};
    StringSource third(damaged);
    ASSERT_TRUE(make_filestore(third, making_));
    EXPECT_TRUE(known.empty());
    EXPECT_TRUE(content_of(name) == content_);
}

TEST_F(SideFilestore, GivesWayToTheSoundFileOfAFilestoreInUse) {
    const std::string name = name_of(content_);
    const std::string in_use = folder_.path() + "/in-use";
    ASSERT_TRUE(make_folders(in_use + "/" + name.substr(0, 2), 0755));
    std::set<std::string> known;
    making_.damaged = &known;
    making_.known_damaged = {name};
    const std::string damaged = archive_of({{name, "something else"}});
    StringSource source(damaged);
    ASSERT_TRUE(make_filestore(source, making_));
    ASSERT_TRUE(drop_damaged_files(in_use, making_.folder, known));
    EXPECT_EQ(content_of(name), "something else") << "nobody has a better one";
    ASSERT_TRUE(atomic_write(in_use + "/" + name, content_, 0644));
    ASSERT_TRUE(drop_damaged_files(in_use, making_.folder, known));
    EXPECT_TRUE(known.empty());
    EXPECT_EQ(content_of(name), "absent") << "take_named_files links it, if a row names it";
}

}  // namespace
}  // namespace backstay::restore

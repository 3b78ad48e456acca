#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "agent/artifact/file_packer.h"
#include "agent/artifact/tar_reader.h"
#include "common/crypto/digest.h"
#include "tests/support/temp_dir.h"

namespace backstay {
namespace {

class PackerTest : public ::testing::Test {
protected:
    std::string put(const std::string& content) {
        const std::string sha1 = digest_hex(DigestKind::sha1, as_bytes(content));
        std::filesystem::create_directories(folder_.path() + "/" + sha1.substr(0, 2));
        std::ofstream(path(sha1.substr(0, 2) + "/" + sha1), std::ios::binary) << content;
        contents_[sha1.substr(0, 2) + "/" + sha1] = content;
        return sha1.substr(0, 2) + "/" + sha1;
    }
    std::string path(const std::string& name) const { return folder_.path() + "/" + name; }

    Result<PackedFiles> pack(const std::vector<std::string>& names, std::uint64_t guess = 1000) {
        StringSink sink(1 << 30);
        auto tar = TRY(TarWriter::open(sink));
        PackOptions options;
        options.folder = folder_.path();
        options.stop = stop_.get_token();
        auto packer = TRY(FilePacker::start(*tar, options));
        for (const std::string& name : names) TRY(packer->add({name, name.substr(name.rfind('/') + 1), guess}));
        PackedFiles packed = TRY(packer->finish());
        TRY(tar->finish());
        tar_ = sink.take();
        return packed;
    }

    std::map<std::string, std::string> members() {
        std::map<std::string, std::string> found;
        StringSource source(tar_);
        EXPECT_TRUE(read_tar(source, [&](const TarMember& member, Source& content) -> Result<> {
            order_.push_back(member.path);
            found[member.path] = TRY(read_all(content, 1 << 30));
            return {};
        }));
        return found;
    }

    testing::TempDir folder_;
    std::map<std::string, std::string> contents_;
    std::vector<std::string> order_;
    std::stop_source stop_;
    std::string tar_;
};

TEST_F(PackerTest, EveryFileIsThereInTheOrderGivenWhateverItsSize) {
    std::vector<std::string> names;
    for (int i = 0; i < 1500; ++i)
        names.push_back(put(std::to_string(i) + std::string(static_cast<std::size_t>(i), 'a')));
    names.push_back(put(std::string(5 << 20, 'L')));
    names.push_back(put(std::string((1 << 20) - 1, 'M')));
    const auto packed = pack(names);
    ASSERT_TRUE(packed) << packed.error().message();
    EXPECT_EQ(packed->files, names.size());
    EXPECT_EQ(packed->problem_count, 0U);
    EXPECT_EQ(members(), contents_);
    EXPECT_EQ(order_, names);
}

TEST_F(PackerTest, WrongGuessesOfSizeCostNothingButTime) {
    std::vector<std::string> names;
    for (int i = 0; i < 40; ++i) names.push_back(put(std::string(900'000 + static_cast<std::size_t>(i), 'b')));
    ASSERT_TRUE(pack(names, 1));
    EXPECT_EQ(members(), contents_);
}

TEST_F(PackerTest, MissingDamagedAndStrangeFilesAreNamed) {
    const std::string good = put("good");
    const std::string hurt = put("hurt");
    const std::string lost = put("lost");
    const std::string link = put("link");
    const std::string large = put(std::string(2 << 20, 'x'));
    std::ofstream(path(hurt)) << "other";
    std::filesystem::remove(path(lost));
    std::filesystem::remove(path(link));
    std::filesystem::create_symlink("/etc/hostname", path(link));
    std::filesystem::resize_file(path(large), (2 << 20) + 5);
    const auto packed = pack({good, hurt, lost, link, large});
    ASSERT_TRUE(packed);
    EXPECT_EQ(packed->files, 3U);
    EXPECT_EQ(packed->damaged, 2U);
    EXPECT_EQ(packed->problem_count, 4U);
    std::map<std::string, std::string> problems;
    for (const FileProblem& problem : packed->problems) problems[problem.name] = problem.problem;
    EXPECT_EQ(problems[hurt], "damaged");
    EXPECT_EQ(problems[large], "damaged");
    EXPECT_EQ(problems[lost], "missing");
    EXPECT_NE(problems[link], "");
    EXPECT_EQ(members().count(link), 0U);
}

TEST_F(PackerTest, AStopEndsIt) {
    std::vector<std::string> names;
    for (int i = 0; i < 100; ++i) names.push_back(put(std::to_string(i)));
    stop_.request_stop();
    const auto packed = pack(names);
    ASSERT_FALSE(packed);
    EXPECT_EQ(packed.error().code(), Errc::cancelled);
}

TEST_F(PackerTest, AFolderThatIsNotThereIsNotFound) {
    StringSink sink(1 << 20);
    auto tar = TarWriter::open(sink);
    ASSERT_TRUE(tar);
    PackOptions options;
    options.folder = folder_.path() + "/nowhere";
    const auto packer = FilePacker::start(**tar, options);
    ASSERT_FALSE(packer);
    EXPECT_EQ(packer.error().code(), Errc::not_found);
}

}  // namespace
}  // namespace backstay

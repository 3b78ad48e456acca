// ZIPs written front to back and read again by their directory.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <map>

#include "agent/artifact/zip_reader.h"
#include "agent/artifact/zip_writer.h"
#include "agent/jobs/odoo_zip/contents.h"
#include "common/fd.h"
#include "common/files/files.h"
#include "tests/support/temp_dir.h"

namespace backstay::odoo_zip {
namespace {

struct Member {
    std::string name;
    std::string content;
    bool size_known = true;
    bool deflate = true;
};

std::string zip_of(const std::vector<Member>& members) {
    StringSink sink(64 << 20);
    const auto zip = ZipWriter::open(sink);
    EXPECT_TRUE(zip);
    for (const Member& member : members) {
        ZipFile file{member.name, std::nullopt, 1'700'000'000, member.deflate};
        if (member.size_known) file.size_bytes = member.content.size();
        EXPECT_TRUE((*zip)->begin(file));
        EXPECT_TRUE((*zip)->data(as_bytes(member.content)));
    }
    EXPECT_TRUE((*zip)->finish());
    return sink.text();
}

class OdooZip : public ::testing::Test {
protected:
    Fd keep(const std::string& bytes) {
        const std::string path = folder_.path() + "/one.zip";
        EXPECT_TRUE(atomic_write(path, bytes, 0600));
        return Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    }
    testing::TempDir folder_;
};

TEST_F(OdooZip, MembersComeBackAsTheyWereWritten) {
    const std::vector<Member> members = {{"dump.sql", std::string(1 << 20, 's'), false, true},
                                         {"empty", "", true, true},
                                         {"filestore/ab/picture", "\xff\xd8\xff as it is", true, false}};
    const Fd file = keep(zip_of(members));
    std::map<std::string, std::string> found;
    ASSERT_TRUE(read_zip(file.get(), [&](const TarMember& member, Source& content) -> Result<> {
        EXPECT_EQ(member.kind, TarMember::Kind::file);
        found[member.path] = TRY(read_all(content, 64 << 20));
        EXPECT_EQ(found[member.path].size(), member.size_bytes);
        return {};
    }));
    ASSERT_EQ(found.size(), members.size());
    for (const Member& member : members) EXPECT_EQ(found[member.name], member.content) << member.name;
}

TEST_F(OdooZip, AChangedByteIsFound) {
    std::string bytes = zip_of({{"dump.sql", "SELECT 1;\n", true, false}});
    bytes[bytes.find("SELECT")] = 'X';
    const Fd file = keep(bytes);
    const auto read = read_zip(file.get(), [](const TarMember&, Source& content) -> Result<> {
        TRY(read_all(content, 100));
        return {};
    });
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code(), Errc::corrupted);
}

TEST_F(OdooZip, ContentsAreCountedByTheDirectory) {
    const Fd file = keep(zip_of({{"dump.sql", "SELECT 1;\n", false},
                                 {"manifest.json", R"({"db_name": "prod", "version": "17.0"})"},
                                 {"filestore/ab/abcd", "1234"},
                                 {"filestore/checklist/ab/abcd", ""},
                                 {"sessions/x", "?"}}));
    const auto seen = look_through_zip(file.get());
    ASSERT_TRUE(seen) << seen.error().message();
    EXPECT_EQ(seen->sql_bytes, 10U);
    EXPECT_EQ(seen->files, 1U);
    EXPECT_EQ(seen->file_bytes, 4U);
    EXPECT_EQ(seen->ignored, 2U);
    EXPECT_EQ(seen->database, "prod");
    EXPECT_EQ(seen->version, "17.0");
}

TEST_F(OdooZip, ContentLongerThanDeclaredIsRefused) {
    StringSource content(std::string(11, 'x'));
    TarMember member;
    member.path = "filestore/ab/abcd";
    member.size_bytes = 10;
    DeclaredContent declared(content, member);
    EXPECT_FALSE(read_all(declared, 100));
}

TEST(LooksCompressed, KnowsWhatNeedNotBeDeflated) {
    EXPECT_TRUE(looks_compressed(as_bytes("\x89PNG\r\n")));
    EXPECT_TRUE(looks_compressed(as_bytes("RIFF1234WEBPVP8 ")));
    EXPECT_FALSE(looks_compressed(as_bytes("%PDF-1.4 text")));
    EXPECT_FALSE(looks_compressed({}));
}

}  // namespace
}  // namespace backstay::odoo_zip

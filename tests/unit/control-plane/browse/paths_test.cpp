#include "control-plane/browse/paths.h"

#include <gtest/gtest.h>

namespace backstay::browse {
namespace {

const std::string kOrg = "0b9b1d2e-0000-4000-8000-000000000001";

TEST(ObjectPath, TakesWhatIsRelativeAndPlain) {
    for (const std::string& good :
         std::vector<std::string>{"a", "a/b.txt", "v1/x/y", "...", "a/..b", "é/ü ü", "a%20b", std::string(1024, 'x')}) {
        const auto path = object_path(good);
        ASSERT_TRUE(path.has_value()) << good;
        EXPECT_EQ(*path, good);
    }
}

TEST(ObjectPath, RefusesWhatMightLeaveThePrefixOrBeReadInTwoWays) {
    const std::vector<std::string> nasty = {"",
                                            "/",
                                            "/etc/passwd",
                                            "a//b",
                                            "a/",
                                            ".",
                                            "..",
                                            "../x",
                                            "a/../b",
                                            "a/..",
                                            "./a",
                                            "a/./b",
                                            "a\\b",
                                            "..\\x",
                                            "a\nb",
                                            "a\tb",
                                            std::string("a\0b", 3),
                                            "a\x7f",
                                            "\xff\xfe",
                                            "\xc0\xae\xc0\xae/x",
                                            "a\xc2\x85",
                                            "%2e%2e/x",
                                            "a/%2E%2e/b",
                                            "a%2fb",
                                            "a%5Cb",
                                            "a%00b",
                                            std::string(1025, 'x')};
    for (const std::string& path : nasty) {
        const auto refused = object_path(path);
        ASSERT_FALSE(refused.has_value()) << path;
        EXPECT_EQ(refused.error().reason(), "invalid_path") << path;
    }
}

TEST(FolderPrefix, IsEmptyOrEndsInASlash) {
    EXPECT_EQ(*folder_prefix(""), "");
    EXPECT_EQ(*folder_prefix("v1"), "v1/");
    EXPECT_EQ(*folder_prefix("v1/a/"), "v1/a/");
    for (const char* bad : {"/", "//", "../", "a//", "/a", "a/../"})
        EXPECT_FALSE(folder_prefix(bad).has_value()) << bad;
}

TEST(Reserved, KeepsUploadsOutOfWhatAgentsWrite) {
    for (const std::string& path :
         std::vector<std::string>{"backups/x", "base/x", "wal/x", "snapshots/x", "backups", "v1", "v1/x",
                                  ".unfinished/x", ".backstay-probe/x", "lost+found/x"}) {
        EXPECT_TRUE(is_reserved(path, kOrg)) << path;
    }
    const std::string own = "v1/" + kOrg + "/p/e/";
    EXPECT_TRUE(is_reserved(own + "backups/2026/01/01/id/manifest.json", kOrg));
    EXPECT_TRUE(is_reserved(own + "uploads", kOrg));
    EXPECT_TRUE(is_reserved("v1/" + kOrg + "/clusters/1/wal/uploads/x", kOrg));
    EXPECT_TRUE(is_reserved("v1/other/p/e/uploads/x", kOrg));
    EXPECT_FALSE(is_reserved(own + "uploads/x.txt", kOrg));
    EXPECT_FALSE(is_reserved("uploads/x.txt", kOrg));
    EXPECT_FALSE(is_reserved("notes/backups/x.txt", kOrg));
}

}  // namespace
}  // namespace backstay::browse

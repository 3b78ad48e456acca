// Commands that need no agent: what they leave behind.
#include <gtest/gtest.h>

#include <filesystem>

#include "agent/cli/commands.h"
#include "common/crypto/secretstream.h"
#include "tests/support/temp_dir.h"

namespace backstay::cli {
namespace {

TEST(Decrypt, LeavesNoHalfFileWhateverWentWrong) {
    testing::TempDir folder;
    const std::string key = folder.path() + "/key";
    ASSERT_TRUE(StreamKey::create(key));
    const std::string output = folder.path() + "/plain";
    EXPECT_NE(decrypt({key, folder.path(), output}), 0) << "a folder cannot be read";
    EXPECT_FALSE(std::filesystem::exists(output));
}

}  // namespace
}  // namespace backstay::cli

#include "agent/courier/instance.h"

#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"

namespace backstay {
namespace {

std::string installation(const std::string& instance_id) { return instance_id.substr(0, instance_id.find('.')); }

TEST(InstanceId, NamesTheInstallationAndAProcessOfIt) {
    const testing::TempDir one;
    const testing::TempDir other;
    const std::string first = new_instance_id(one.path());
    const std::string second = new_instance_id(one.path());
    EXPECT_NE(first, second);
    EXPECT_EQ(installation(first), installation(second));
    EXPECT_EQ(installation(first).size(), 16U);
    EXPECT_NE(installation(first), installation(new_instance_id(other.path())));
}

TEST(InstanceId, IsNobodysWhereThereIsNoStateFolder) {
    EXPECT_NE(installation(new_instance_id("/nowhere/at/all")), installation(new_instance_id("/nowhere/at/all")));
}

}  // namespace
}  // namespace backstay

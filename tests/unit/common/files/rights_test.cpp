#include "common/files/rights.h"

#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/temp_dir.h"

namespace backstay {
namespace {

constexpr uid_t kNobody = 65534;

// In a child of root's that became nobody, with the one capability or without: what may_access says of the path.
bool as_nobody(const std::string& path, bool override_rights) {
    const pid_t child = ::fork();
    if (child == 0) {
        ::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
        if (::setresgid(kNobody, kNobody, kNobody) != 0 || ::setresuid(kNobody, kNobody, kNobody) != 0) ::_exit(2);
        __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
        __user_cap_data_struct data[2]{};
        data[0].effective = data[0].permitted = override_rights ? 1U << CAP_DAC_OVERRIDE : 0;
        if (::syscall(SYS_capset, &header, data) != 0) ::_exit(2);
        ::_exit(may_access(path, W_OK | X_OK) ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) < 2) << status;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(MayAccess, TellsByModeAndOwner) {
    const testing::TempDir folder;
    EXPECT_TRUE(may_access(folder.path(), R_OK | W_OK | X_OK));
    EXPECT_FALSE(may_access(folder.path() + "/none", F_OK));
    EXPECT_EQ(errno, ENOENT);
}

TEST(MayAccess, CountsTheCapabilitiesOfAService) {
    if (::geteuid() != 0) return;  // capabilities are root's to hand down
    const testing::TempDir folder;
    ASSERT_EQ(::chmod(folder.path().c_str(), 0700), 0);
    EXPECT_FALSE(as_nobody(folder.path(), false));
    EXPECT_TRUE(as_nobody(folder.path(), true));
}

}  // namespace
}  // namespace backstay

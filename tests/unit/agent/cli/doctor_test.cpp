// backstay doctor where no agent runs: what it says of the configuration, the account and the socket.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>

#include "agent/cli/commands.h"
#include "tests/support/temp_dir.h"

namespace backstay::cli {
namespace {

using ::testing::HasSubstr;
using Lines = std::vector<local_api::CheckLine>;

local_api::CheckLine line(const Lines& lines, std::string_view subject, std::string_view name) {
    const auto found = std::find_if(lines.begin(), lines.end(), [&](const local_api::CheckLine& one) {
        return one.subject == subject && one.name == name;
    });
    return found == lines.end() ? local_api::CheckLine{} : *found;
}

class Doctor : public ::testing::Test {
protected:
    // Root stays root: what is examined here is the test's own.
    Lines examined() { return examine(folder_.path() + "/agent.sock", options_); }
    void configure(const std::string& more = "") {
        std::ofstream(options_.config) << "state_dir = \"" << folder_.path() << "\"\n"
                                       << more << "[[cluster]]\nname = \"main\"\nhost = \"" << folder_.path() << "\"\n";
    }
    testing::TempDir folder_;
    DoctorOptions options_{folder_.path() + "/agent.toml", ::getpwuid(::geteuid())->pw_name, ""};
};

TEST_F(Doctor, SaysWhereToBeginWithoutConfiguration) {
    const auto found = line(examined(), "configuration", "file");
    EXPECT_EQ(found.result, "failed");
    EXPECT_THAT(found.hint, HasSubstr("examples/agent.toml"));
}

TEST_F(Doctor, NamesTheFaultsOfTheConfiguration) {
    configure("colour = 1\n");
    const auto found = line(examined(), "configuration", "file");
    EXPECT_EQ(found.result, "failed");
    EXPECT_THAT(found.message, HasSubstr("line 2: colour"));
}

TEST_F(Doctor, LooksInTheAgentsPlaceWhereNoneRuns) {
    configure();
    const Lines lines = examined();
    EXPECT_EQ(line(lines, "configuration", "file").result, "ok");
    EXPECT_EQ(line(lines, "agent", "socket").result, "failed");
    EXPECT_THAT(line(lines, "agent", "socket").hint, HasSubstr("systemctl enable --now backstay-agent"));
    EXPECT_EQ(line(lines, "cluster main", "connection").result, "failed") << "no server listens in the test's folder";
}

TEST_F(Doctor, TellsAnAgentThatHangsFromOneThatIsNotStarted) {
    configure();
    const std::string path = folder_.path() + "/agent.sock";
    const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
    ASSERT_EQ(::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    ::close(socket);
    EXPECT_THAT(line(examined(), "agent", "socket").hint, HasSubstr("systemctl restart backstay-agent"));
}

TEST_F(Doctor, FindsThatTheServicesAccountIsNotThere) {
    configure();
    options_.user = "no-such-account";
    const Lines lines = examined();
    if (::geteuid() == 0) {
        EXPECT_EQ(line(lines, "account", "account").result, "failed");
        EXPECT_THAT(line(lines, "account", "account").hint, HasSubstr("systemd-sysusers"));
    } else {
        EXPECT_EQ(line(lines, "account", "rights").result, "warning");
    }
}

}  // namespace
}  // namespace backstay::cli

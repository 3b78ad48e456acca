#include "common/process/subprocess.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "common/clock.h"
#include "tests/support/temp_dir.h"

namespace backstay {
namespace {

ProcessSpec shell(const std::string& script) {
    ProcessSpec spec;
    spec.argv = {"sh", "-c", script};
    return spec;
}

std::unique_ptr<Subprocess> started(ProcessSpec spec) {
    auto child = Subprocess::start(std::move(spec));
    EXPECT_TRUE(child) << child.error().message();
    return std::move(child).value();
}

bool alive(pid_t pid) { return ::kill(pid, 0) == 0; }

bool gone_soon(pid_t pid) {
    for (const std::int64_t end = steady_ms() + 5000; steady_ms() < end;) {
        if (!alive(pid)) return true;
        std::this_thread::yield();
    }
    return false;
}

// The letter of the process's state in /proc.
char shell_state(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string text((std::istreambuf_iterator<char>(file)), {});
    const std::size_t bracket = text.rfind(')');
    return bracket == std::string::npos || bracket + 2 >= text.size() ? '?' : text[bracket + 2];
}

TEST(Subprocess, GivesTheOutputOfAChildThatSucceeds) {
    auto child = started(shell("printf hello"));
    EXPECT_EQ(*read_all(child->output(), 100), "hello");
}

TEST(Subprocess, OutputOfAFailedChildEndsInAnErrorWithItsLastWords) {
    auto child = started(shell("printf part; echo 'no space left' >&2; exit 3"));
    const auto text = read_all(child->output(), 100);
    ASSERT_FALSE(text);
    EXPECT_EQ(text.error().message(), "sh: exit status 3: no space left");
    EXPECT_EQ(text.error().facts().at("exit_status"), "exit status 3");
    EXPECT_EQ(text.error().facts().at("stderr"), "no space left\n");
}

TEST(Subprocess, AKilledChildIsAFailureThoughItsOutputLooksWhole) {
    auto child = started(shell("printf whole; kill -9 $$"));
    const auto text = read_all(child->output(), 100);
    ASSERT_FALSE(text);
    EXPECT_EQ(text.error().facts().at("exit_status"), "killed by signal 9");
}

// SIGTERM waits at the door of a stopped process.
TEST(Subprocess, AStoppedChildIsEndedWithoutTheGrace) {
    auto child = started(shell("kill -STOP $$; sleep 60"));
    while (shell_state(child->pid()) != 'T') std::this_thread::yield();
    const std::int64_t began = steady_ms();
    child->terminate();
    EXPECT_LT(steady_ms() - began, 5000);
}

TEST(Subprocess, CarriesDataBothWaysAtOnce) {
    ProcessSpec spec = shell("cat");
    spec.pipe_stdin = true;
    auto child = started(std::move(spec));
    const std::string block(1 << 20, 'x');
    std::jthread writer([&] {
        for (int i = 0; i < 8; ++i) EXPECT_TRUE(child->input().write(as_bytes(block)));
        EXPECT_TRUE(child->input().finish());
    });
    const auto text = read_all(child->output(), 16 << 20);
    ASSERT_TRUE(text);
    EXPECT_EQ(text->size(), 8U << 20);
}

TEST(Subprocess, AChildThatStopsReadingIsAnErrorAndNoSignal) {
    ProcessSpec spec = shell("exec <&-; echo 'cannot restore' >&2; exit 1");
    spec.pipe_stdin = true;
    auto child = started(std::move(spec));
    const std::string block(1 << 20, 'x');
    Result<> written;
    while (written) written = child->input().write(as_bytes(block));
    EXPECT_NE(written.error().message().find("cannot restore"), std::string::npos) << written.error().message();
}

TEST(Subprocess, MuchStderrNeitherBlocksTheChildNorGrowsWithoutBound) {
    auto child = started(shell("i=0; while [ $i -lt 20000 ]; do echo line $i >&2; i=$((i+1)); done; printf ok"));
    EXPECT_EQ(*read_all(child->output(), 100), "ok");
    const std::string tail = child->stderr_tail();
    EXPECT_LE(tail.size(), 8U * 1024);
    EXPECT_TRUE(tail.starts_with("line "));
    EXPECT_TRUE(tail.ends_with("line 19999\n"));
}

TEST(Subprocess, StopEndsTheWholeGroupAndTheBlockedRead) {
    std::stop_source stop;
    ProcessSpec spec = shell("sleep 1000 & echo $!; wait");
    spec.stop = stop.get_token();
    auto child = started(std::move(spec));
    std::array<std::byte, 64> buffer{};
    const std::size_t count = *child->output().read(buffer);
    const pid_t grandchild = std::stoi(std::string(as_text(ByteSpan(buffer.data(), count))));
    std::jthread later([&] { stop.request_stop(); });
    const auto rest = child->output().read(buffer);
    ASSERT_FALSE(rest);
    EXPECT_EQ(rest.error().code(), Errc::cancelled);
    EXPECT_TRUE(gone_soon(child->pid()));
    EXPECT_TRUE(gone_soon(grandchild));
}

TEST(Subprocess, AChildThatIgnoresTermIsKilledAfterTheGrace) {
    ProcessSpec spec = shell("trap '' TERM; echo ready; while :; do sleep 1; done");
    spec.grace_ms = 50;
    auto child = started(std::move(spec));
    std::array<std::byte, 64> buffer{};
    ASSERT_TRUE(child->output().read(buffer));
    child->terminate();
    EXPECT_EQ(child->wait()->signal, SIGKILL);
}

TEST(Subprocess, ASilentChildIsStalledAfterTheLimit) {
    ProcessSpec spec = shell("echo one; sleep 1000");
    spec.stall_limit_ms = 100;
    auto child = started(std::move(spec));
    const auto text = read_all(child->output(), 100);
    ASSERT_FALSE(text);
    EXPECT_EQ(text.error().code(), Errc::timed_out);
    EXPECT_TRUE(gone_soon(child->pid()));
}

TEST(Subprocess, ADescendantThatKeepsTheOutputOpenDoesNotHoldUsUp) {
    auto child = started(shell("printf started; sleep 1000 & exit 0"));
    EXPECT_EQ(*read_all(child->output(), 100), "started");
    ::kill(-child->pid(), SIGKILL);
}

TEST(Subprocess, AProgramThatIsMissingOrForbiddenIsSaidSoAtStart) {
    ProcessSpec spec;
    spec.argv = {"/nowhere/pg_dump"};
    EXPECT_EQ(Subprocess::start(spec).error().code(), Errc::not_found);
    spec.argv = {"no-such-program-anywhere"};
    EXPECT_EQ(Subprocess::start(spec).error().code(), Errc::not_found);
    spec.argv = {"/etc/passwd"};
    EXPECT_EQ(Subprocess::start(spec).error().code(), Errc::denied);
}

TEST(Subprocess, GivesItsChildTheEnvironmentAskedForAndNothingSecretOfOurs) {
    ::setenv("PGPASSWORD", "ours", 1);
    ::setenv("BACKSTAY_TEST", "ours", 1);
    ProcessSpec spec = shell("echo \"$PGPASSWORD|$BACKSTAY_TEST|$WANTED\"");
    spec.environment["WANTED"] = "yes";
    EXPECT_EQ(*run_tool(std::move(spec)), "||yes\n");
    ::unsetenv("PGPASSWORD");
    ::unsetenv("BACKSTAY_TEST");
}

TEST(Subprocess, HandsASecretOverInAFileThatOnlyTheChildHas) {
    ProcessSpec spec = shell("cat $PGPASSFILE; stat -L -c %a $PGPASSFILE");
    spec.secret_files["PGPASSFILE"] = "*:*:*:odoo:geheim\n";
    EXPECT_EQ(*run_tool(std::move(spec)), "*:*:*:odoo:geheim\n600\n");
}

TEST(Subprocess, LeavesNoDescriptorOfOursOpenInTheChild) {
    const int leaky = ::dup(1);  // without O_CLOEXEC
    const auto listing = run_tool(shell("ls /proc/self/fd | wc -l"));
    ::close(leaky);
    ASSERT_TRUE(listing);
    EXPECT_LE(std::stoi(*listing), 4) << "0, 1, 2 and the one that ls opens";
}

TEST(Subprocess, RunsGentlyWhenAskedTo) {
    ProcessSpec spec = shell("nice; ionice");
    spec.priority = {7, true};
    EXPECT_EQ(*run_tool(std::move(spec)), "7\nidle\n");
}

TEST(Subprocess, ScrubsPasswordsFromTheLastWords) {
    ProcessSpec spec = shell("echo 'bad login geheim1' >&2; exit 1");
    spec.secrets = {"geheim1"};
    const auto text = run_tool(std::move(spec));
    ASSERT_FALSE(text);
    EXPECT_EQ(text.error().message().find("geheim1"), std::string::npos);
    EXPECT_EQ(text.error().facts().at("stderr"), "bad login ***\n");
}

TEST(RunTool, FeedsInputAndBoundsOutputAndTime) {
    EXPECT_EQ(*run_tool(shell("cat"), 5000, 100, "ping"), "ping");
    EXPECT_EQ(run_tool(shell("yes"), 5000, 1000).error().code(), Errc::exhausted);
    EXPECT_EQ(run_tool(shell("sleep 100"), 100).error().code(), Errc::timed_out);
}

}  // namespace
}  // namespace backstay

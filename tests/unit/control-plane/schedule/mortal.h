// Work in a process of its own that is killed somewhere in it.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <functional>
#include <random>
#include <string>
#include <thread>

#include "common/clock.h"

namespace backstay::schedule {

// Made before anything is open that must not be carried into another process: a process that stays as it was then forks
// each that dies.
class Mortal {
public:
    // `work` calls ready() when it begins to be worth killing.
    using Work = std::function<void(const std::string& path, TimeMs now, bool flag)>;

    explicit Mortal(Work work) : work_(std::move(work)) {
        std::array<int, 2> ends{};
        EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()), 0);
        pid_ = fork();
        socket_ = ends[pid_ == 0 ? 1 : 0];
        close(ends[pid_ == 0 ? 0 : 1]);
        if (pid_ == 0) serve();
    }
    ~Mortal() {
        close(socket_);
        waitpid(pid_, nullptr, 0);
    }
    Mortal(const Mortal&) = delete;
    Mortal& operator=(const Mortal&) = delete;

    // True: it was killed before it was done.
    bool die(const std::string& path, TimeMs now, bool flag) {
        Death death{{}, now, flag};
        EXPECT_LT(path.copy(death.path.data(), death.path.size() - 1), death.path.size() - 1);
        EXPECT_EQ(write(socket_, &death, sizeof death), static_cast<ssize_t>(sizeof death));
        char before = 0;
        EXPECT_EQ(read(socket_, &before, 1), 1);
        return before == 'k';
    }
    static void ready() { tell(); }

private:
    struct Death {
        std::array<char, 512> path;
        TimeMs now;
        bool flag;
    };
    static constexpr int kTelling = 100;  // the descriptor on which the work tells how far it is

    static void tell() { static_cast<void>(write(kTelling, "r", 1) == 1); }

    [[noreturn]] void serve() {
        Death death{};
        while (read(socket_, &death, sizeof death) == static_cast<ssize_t>(sizeof death)) {
            const char how = kill_in(death) ? 'k' : 'd';
            if (write(socket_, &how, 1) != 1) break;
        }
        _exit(0);
    }

    bool kill_in(const Death& death) {
        std::array<int, 2> pipe_ends{};
        if (pipe(pipe_ends.data()) != 0) _exit(1);
        const pid_t child = fork();
        if (child == 0) {
            dup2(pipe_ends[1], kTelling);
            work_(death.path.data(), death.now, death.flag);
            tell();
            while (true) pause();
        }
        close(pipe_ends[1]);
        char told = 0;
        static_cast<void>(read(pipe_ends[0], &told, 1) == 1);
        std::this_thread::sleep_for(std::chrono::microseconds(random_() % (range_us_ + 1)));
        kill(child, SIGKILL);
        waitpid(child, nullptr, 0);
        const bool done = read(pipe_ends[0], &told, 1) == 1;
        close(pipe_ends[0]);
        // So that about half of them die at work, however fast the machine is.
        range_us_ = done ? range_us_ * 9 / 10 : range_us_ * 10 / 9 + 1;
        return !done;
    }

    Work work_;
    pid_t pid_ = 0;
    int socket_ = -1;
    std::uint32_t range_us_ = 1000;
    std::mt19937 random_{20261121};
};

}  // namespace backstay::schedule

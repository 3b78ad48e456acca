// A StepJournal that ends its process at a chosen word, for tests of what a crash leaves.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <mutex>
#include <string>

#include "agent/evidence/steps.h"
#include "common/files/files.h"
#include "common/json/json.h"

namespace backstay::testing {

// Keeps its notes in a file, as durably as the agent's, and ends the process at the n-th word.
class DeadlyJournal final : public StepJournal {
public:
    DeadlyJournal(std::string file, int die_at, bool after) : file_(std::move(file)), die_at_(die_at), after_(after) {}

    Result<> planned(const OperationPlan&) override { return {}; }
    Result<> copied(const CopyRecord&) override { return {}; }
    Result<> recorded(const StepRecord&) override {
        const std::lock_guard lock(mutex_);
        return word([] { return Result<>(); });
    }
    Result<> noted(const std::string& key, const std::string& value) override {
        const std::lock_guard lock(mutex_);
        return word([&]() -> Result<> {
            notes_.erase(key);
            if (!value.empty()) notes_.emplace(key, value);
            return atomic_write(file_, json::serialize(json::encode(notes_)));
        });
    }

private:
    template <class Write>
    Result<> word(Write write) {
        const bool now = words_++ == die_at_;
        if (now && !after_) ::kill(::getpid(), SIGKILL);
        TRY(write());
        if (now && after_) ::kill(::getpid(), SIGKILL);
        return {};
    }

    std::mutex mutex_;
    std::string file_;
    Facts notes_;
    int words_ = 0;
    int die_at_;
    bool after_;
};

inline Facts read_notes(const std::string& file) {
    auto text = read_file(file);
    if (!text) return {};
    return json::decode<Facts>(*json::parse(*text)).value();
}

// Runs job(steps) in a process of its own that dies at that word of its journal; at < 0: it does not.
template <class Job>
pid_t start_doomed(const std::string& file, int at, bool after, const Clock& clock, Job job) {
    const pid_t child = ::fork();
    if (child != 0) return child;
    DeadlyJournal journal(file, at, after);
    ProgressMeter progress(clock, "job", "id", "");
    Steps steps(journal, progress, clock, {});
    const Result<> done = job(steps);
    if (!done) ::fprintf(stderr, "%s\n", done.error().message().c_str());
    ::_exit(done ? 0 : 1);
}

inline int wait_for(pid_t child) {
    int status = 0;
    ::waitpid(child, &status, 0);
    return status;
}

// Kills the job before and after each word, until it comes to its end. look(notes file, when, came to its end).
template <class Job, class Look>
void kill_at_each_word(const std::string& files, const Clock& clock, Job job, Look look) {
    for (const bool after : {false, true}) {
        for (int at = 0;; ++at) {
            ASSERT_LT(at, 100);
            const std::string when = fmt::format("killed {} word {}", after ? "after" : "before", at);
            const std::string file = fmt::format("{}-{}-{}", files, at, after);
            const int status = wait_for(start_doomed(file, at, after, clock, job));
            look(file, when, WIFEXITED(status));
            if (::testing::Test::HasFailure()) return;
            if (!WIFEXITED(status)) continue;
            EXPECT_EQ(WEXITSTATUS(status), 0) << when;
            break;
        }
    }
}

}  // namespace backstay::testing

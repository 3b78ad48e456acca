// A StepJournal that ends its process at a chosen word, for tests of what a crash leaves.
#pragma once

#include <signal.h>
#include <unistd.h>

#include <mutex>
#include <string>

#include "agent/evidence/journal.h"
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

}  // namespace backstay::testing

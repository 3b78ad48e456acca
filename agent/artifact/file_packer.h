// Packs many files of one folder into a tar, fast: several threads read and check ahead, one thread writes them in the
// order in which they were added. Memory is bounded whatever the number and size of the files.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "agent/artifact/tar_writer.h"
#include "agent/artifact/throttle.h"
#include "common/process/priority.h"
#include "common/result.h"

namespace backstay {

struct FileToPack {
    std::string name;              // relative to the folder, already checked to stay in it
    std::string sha1;              // what its content must have; empty: not checked
    std::uint64_t size_bytes = 0;  // a guess
};

struct FileProblem {
    std::string name;
    std::string problem;  // missing, damaged, unreadable
    std::string detail;
};

struct PackedFiles {
    std::uint64_t files = 0;  // members of the tar, damaged ones among them
    std::uint64_t bytes = 0;
    std::uint64_t damaged = 0;
    std::uint64_t problem_count = 0;    // damaged, missing, unreadable
    std::vector<FileProblem> problems;  // the first 1,000
};

struct PackOptions {
    std::string folder;
    int readers = 4;
    Priority priority;
    Throttle* throttle = nullptr;
    std::stop_token stop;
    std::function<void(std::uint64_t bytes)> on_bytes;           // called by the writing thread as members are written
    std::function<Result<>(const std::string& name)> on_packed;  // the same thread: whole and sound, in the order added
};

class FilePacker {
public:
    // `tar` is written by a thread of this object until finish() and outlives it. not_found: the folder is not there.
    static Result<std::unique_ptr<FilePacker>> start(TarWriter& tar, PackOptions options);
    ~FilePacker();

    // Blocks while enough is in work.
    Result<> add(FileToPack file);
    // All were written. A damaged file is in the tar and among the problems.
    Result<PackedFiles> finish();

private:
    class State;
    explicit FilePacker(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace backstay

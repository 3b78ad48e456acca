// A progress bar for a terminal: redrawn in place, one line left for each finished step.
#pragma once

#include <cstdio>
#include <string>

#include "common/domain/progress.h"

namespace backstay::cli {

class Bar {
public:
    // Draws only when `out` is a terminal.
    explicit Bar(std::FILE* out);
    ~Bar();
    Bar(const Bar&) = delete;
    Bar& operator=(const Bar&) = delete;

    void show(const Progress& progress);
    static std::string line(const Progress& progress, std::size_t columns);

private:
    std::FILE* out_;
    bool live_;
    bool drawn_ = false;
};

}  // namespace backstay::cli

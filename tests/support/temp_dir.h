// A folder of a test's own, removed with everything in it.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <string>

namespace backstay::testing {

class TempDir {
public:
    TempDir() {
        const char* base = ::getenv("TMPDIR");
        std::string pattern = std::string(base != nullptr ? base : "/tmp") + "/backstay-test-XXXXXX";
        if (::mkdtemp(pattern.data()) == nullptr) ::abort();
        path_ = pattern;
    }
    ~TempDir() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
    const std::string& path() const { return path_; }

private:
    std::string path_;
};

}  // namespace backstay::testing

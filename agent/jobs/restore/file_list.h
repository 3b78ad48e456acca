// The list of files that leads a differential's archive, kept in a file without a name and read beside its base, whose
// members come in the same order.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

#include "common/bytes.h"
#include "common/result.h"

namespace backstay::restore {

class FileList {
public:
    // `folder` is made when missing.
    static Result<FileList> create(const std::string& folder);
    FileList(FileList&& other) noexcept = default;
    FileList& operator=(FileList&& other) noexcept = default;
    ~FileList();

    // Takes the whole list instead of what it had.
    Result<> take(Source& list);
    bool taken() const { return taken_; }
    // Before the first holds(), and before asking once more from the beginning.
    Result<> rewind();
    // Names must be asked for in byte order: structure_invalid otherwise.
    Result<bool> holds(const std::string& name);

private:
    struct Close {
        void operator()(std::FILE* file) const { std::fclose(file); }
    };
    explicit FileList(std::FILE* file) : file_(file) {}
    Result<bool> next();

    std::unique_ptr<std::FILE, Close> file_;
    bool taken_ = false;
    bool ended_ = false;
    std::string line_;
    std::string asked_;
};

}  // namespace backstay::restore

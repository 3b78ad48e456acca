// Files in and out, and which files an installation consists of besides its database.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/bytes.h"
#include "common/fd.h"
#include "control-plane/config/settings.h"

namespace backstay::own_backup {

struct InstallationFile {
    std::string what;  // "the key of sealed secrets"
    std::string path;
    bool secret = true;   // left out of a backup without keys
    bool carried = true;  // false: named only (certificates: they come from elsewhere and are renewed there)
};
// Those that the settings name, control.toml first.
std::vector<InstallationFile> files_of(const Settings& settings);

// corrupted: the SQLite file is damaged, or a row of it refers to nothing.
Result<> check_database(const std::string& path);

class FileSource final : public Source {
public:
    static Result<FileSource> open(const std::string& path);
    Result<std::size_t> read(MutableByteSpan buffer) override;

private:
    FileSource(Fd file, std::string path) : file_(std::move(file)), path_(std::move(path)) {}
    Fd file_;
    std::string path_;
};

// A new file of mode 0600 that gets its name when it is whole and on the disk; "-" is standard output. Until then, and
// after a failure, nothing of that name is there.
class NewFileSink final : public Sink {
public:
    // conflict: there is a file of that name.
    static Result<std::unique_ptr<NewFileSink>> create(const std::string& path);
    ~NewFileSink() override;
    NewFileSink(const NewFileSink&) = delete;
    NewFileSink& operator=(const NewFileSink&) = delete;
    Result<> write(ByteSpan bytes) override;
    Result<> finish() override;

private:
    NewFileSink(Fd file, std::string path) : file_(std::move(file)), path_(std::move(path)) {}
    std::string part() const { return path_ + ".part"; }
    Fd file_;
    std::string path_;
};

}  // namespace backstay::own_backup

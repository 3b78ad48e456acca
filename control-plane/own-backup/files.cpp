#include "control-plane/own-backup/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "common/files/fd_stream.h"
#include "common/files/files.h"
#include "common/sqlite/database.h"

namespace backstay::own_backup {

std::vector<InstallationFile> files_of(const Settings& settings) {
    std::vector<InstallationFile> all = {
        {"the settings", settings.state_dir + "/" + kSettingsFile, false, true},
        {"the key of sealed secrets", settings.secrets_key_file, true, true},
        {"the public key of tokens", settings.tokens.public_key_file, false, true},
        {"the token of /metrics", settings.metrics.token_file, true, true},
        {"the password of mail", settings.mail.password_file, true, true},
        {"the authorities of mail", settings.mail.ca_file, false, false},
        {"the certificate", settings.tls_certificate_file, false, false},
        {"the key of the certificate", settings.tls_key_file, false, false},
        {"the key of backups of the control plane", settings.backup.encryption_key_file, false, false},
    };
    if (settings.tokens.algorithm == "HS256") all.push_back({"the key of tokens", settings.tokens.secret_file});
    std::erase_if(all, [](const InstallationFile& file) { return file.path.empty(); });
    return all;
}

Result<> check_database(const std::string& path) {
    auto database = TRY(sqlite::Database::open(path, {.create = false}));
    return database.check_integrity();
}

Result<FileSource> FileSource::open(const std::string& path) {
    Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.open()) return Error::from_errno(errno, "open " + path);
    struct stat about {};
    if (::fstat(file.get(), &about) == 0 && S_ISDIR(about.st_mode)) {
        return Error(Errc::invalid, path + " is a folder").with_hint("name one backup in it");
    }
    return FileSource(std::move(file), path);
}

Result<std::size_t> FileSource::read(MutableByteSpan buffer) {
    return FdSource(file_.get(), "read " + path_).read(buffer);
}

Result<std::unique_ptr<NewFileSink>> NewFileSink::create(const std::string& path) {
    if (path == "-") {
        if (::isatty(STDOUT_FILENO) == 1) {
            return Error(Errc::invalid, "a backup is no text for a terminal").with_hint("--output FILE, or a pipe");
        }
        return std::unique_ptr<NewFileSink>(new NewFileSink(Fd(::dup(STDOUT_FILENO)), path));
    }
    struct stat about {};
    if (::lstat(path.c_str(), &about) == 0) {
        return Error(Errc::conflict, path + " is there already")
            .with_hint("name a folder: each backup gets a name of its own in it, and --keep bounds them");
    }
    const std::string part = path + ".part";
    ::unlink(part.c_str());  // what a killed process left
    Fd file(::open(part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file.open()) {
        return Error::from_errno(errno, "create " + part)
            .with_hint("the account of the control plane writes it; `--output - > FILE` lets whoever calls do so");
    }
    return std::unique_ptr<NewFileSink>(new NewFileSink(std::move(file), path));
}

NewFileSink::~NewFileSink() {
    if (file_.open() && path_ != "-") ::unlink(part().c_str());
}

Result<> NewFileSink::write(ByteSpan bytes) { return FdSink(file_.get(), "write " + path_).write(bytes); }

Result<> NewFileSink::finish() {
    if (path_ == "-") return {};
    if (::fsync(file_.get()) != 0) return Error::from_errno(errno, "fsync " + part());
    // Never over a file that came meanwhile.
    if (::link(part().c_str(), path_.c_str()) != 0) {
        if (errno == EEXIST || ::rename(part().c_str(), path_.c_str()) != 0) {
            return Error::from_errno(errno, "name " + path_);
        }
    } else {
        ::unlink(part().c_str());
    }
    file_.reset();
    const auto folder = std::filesystem::path(path_).parent_path().string();
    return fsync_folder(folder.empty() ? "." : folder);
}

}  // namespace backstay::own_backup

// Commands that need no running agent.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "agent/cli/commands.h"
#include "agent/config/config.h"
#include "agent/config/config_checks.h"
#include "agent/setup/setup.h"
#include "common/crypto/secretstream.h"
#include "common/files/fd_stream.h"
#include "common/files/files.h"

namespace backstay::cli {
namespace {

int code(ExitCode exit_code) { return static_cast<int>(exit_code); }

class Descriptor {
public:
    explicit Descriptor(int descriptor) : descriptor_(descriptor) {}
    ~Descriptor() {
        if (descriptor_ > STDERR_FILENO) ::close(descriptor_);
    }
    Descriptor(Descriptor&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
    Descriptor& operator=(Descriptor&&) = delete;
    int get() const { return descriptor_; }

private:
    int descriptor_;
};

Result<Descriptor> open_input(const std::string& path) {
    if (path == "-") return Descriptor(STDIN_FILENO);
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return Error::from_errno(errno, path);
    return Descriptor(descriptor);
}

Result<Descriptor> open_output(const std::string& path) {
    if (path == "-") return Descriptor(STDOUT_FILENO);
    const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (descriptor < 0) return Error::from_errno(errno, path);
    return Descriptor(descriptor);
}

Result<> copy_durably(Source& from, Sink& to, int descriptor) {
    TRY(copy(from, to));
    // Pipes and terminals cannot be synced (EINVAL); a disk that fails late must not pass for success.
    if (::fsync(descriptor) != 0 && errno != EINVAL && errno != EROFS) return Error::from_errno(errno, "sync");
    return {};
}

Result<> run_decrypt(const DecryptOptions& options) {
    const StreamKey key = TRY(StreamKey::load(options.key));
    const Descriptor input = TRY(open_input(options.input));
    const Descriptor output = TRY(open_output(options.output));
    FdSource encrypted(input.get(), "read");
    DecryptingSource plain(key, encrypted);
    FdSink sink(output.get(), "write");
    Result<> done = copy_durably(plain, sink, output.get());
    // What was written is not the whole: it must not be taken for it.
    if (!done && options.output != "-") ::unlink(options.output.c_str());
    return done;
}

Result<std::string> enroll_at(const EnrollOptions& options) {
    const AgentConfig config = TRY(load_agent_config(options.config));
    const std::string url = options.url.empty() ? config.control_plane_url : options.url;
    if (url.empty()) return Error(Errc::invalid, "say where the control plane is: --url, or [control_plane] url");
    // Not quoted: a password that stands in it is for no log.
    if (!config::is_control_plane_url(url))
        return Error(Errc::invalid, "--url must be http://HOST[:PORT] or https://HOST[:PORT]");
    const std::string token = options.token_file.empty() ? options.token : TRY(read_secret_file(options.token_file));
    if (token.empty()) return Error(Errc::invalid, "--token or --token-file is missing");
    return setup::enroll(config, url, token);
}

}  // namespace

int enroll(const Output& output, const EnrollOptions& options) {
    const auto id = enroll_at(options);
    if (!id) return report(output, id.error());
    if (output.json) {
        fmt::print("{}\n", json::serialize(json::Value(json::Object{{"agentId", *id}})));
    } else {
        fmt::print("this host is agent {}; a running daemon notices it by itself\n", *id);
    }
    return code(ExitCode::ok);
}

int generate_key(const Output& output, const std::string& path) {
    const auto key = StreamKey::create(path);
    if (!key) return report(output, key.error());
    if (output.json) {
        fmt::print("{}\n", json::serialize(json::Value(json::Object{{"keyId", key->id()}, {"path", path}})));
    } else {
        fmt::print(
            "key {} is in {}\nKeep a copy of it away from this host: without it nothing that it encrypted can be "
            "read again.\n",
            key->id(), path);
    }
    return code(ExitCode::ok);
}

int decrypt(const DecryptOptions& options) {
    const auto done = run_decrypt(options);
    return done ? code(ExitCode::ok) : report({}, done.error());
}

}  // namespace backstay::cli

#include <fmt/format.h>

#include <array>

#include "common/clock.h"
#include "common/process/subprocess.h"

namespace backstay {
namespace {
constexpr std::size_t kPipeSize = 64 * 1024;  // what a pipe takes without a reader
}

Result<std::string> run_tool(ProcessSpec spec, std::int64_t limit_ms, std::size_t output_limit,
                             std::string_view input) {
    if (input.size() > kPipeSize) return Error(Errc::invalid, "too much input for a short command");
    spec.pipe_stdout = true;
    spec.pipe_stdin = !input.empty();
    spec.stall_limit_ms = limit_ms;
    const std::string tool = spec.argv.at(0);
    const std::int64_t deadline = steady_ms() + limit_ms;
    auto child = TRY(Subprocess::start(std::move(spec)));
    if (!input.empty()) {
        TRY(child->input().write(as_bytes(input)));
        TRY(child->input().finish());
    }
    StringSink output(output_limit);
    std::array<std::byte, 16 * 1024> buffer{};
    while (const std::size_t count = TRY(child->output().read(buffer))) {
        TRY(output.write(ByteSpan(buffer.data(), count)).context("output of " + tool));
        if (steady_ms() > deadline) {
            return Error(Errc::timed_out, fmt::format("{} did not end within {} s", tool, limit_ms / 1000));
        }
    }
    return output.take();
}

}  // namespace backstay

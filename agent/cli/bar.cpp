#include "agent/cli/bar.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

#include "common/human.h"
#include "common/text.h"

namespace backstay::cli {
namespace {

constexpr std::size_t kBarWidth = 28;

std::size_t columns_to(std::FILE* out) {
    winsize size{};
    if (::ioctl(::fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
    return 80;
}

}  // namespace

Bar::Bar(std::FILE* out) : out_(out), live_(::isatty(::fileno(out)) == 1) {}

Bar::~Bar() {
    if (drawn_) fmt::print(out_, "\n");
}

std::string Bar::line(const Progress& progress, std::size_t columns) {
    const double percent = std::clamp(progress.percent, 0.0, 100.0);
    // A narrow terminal has room for the figures first.
    const std::size_t width = std::min(kBarWidth, columns / 2);
    const auto filled = static_cast<std::size_t>(percent / 100 * static_cast<double>(width));
    std::string bar;
    for (std::size_t i = 0; i < width; ++i) bar += i < filled ? "█" : "░";
    std::string rest = fmt::format(" {:5.1f} %  {}", percent, progress.done ? progress.status : progress.step);
    if (progress.bytes_done > 0) rest += fmt::format("  {}", human::size(progress.bytes_done));
    if (!progress.done && progress.rate_bytes_per_sec > 0) {
        rest += fmt::format("  {}/s", human::size(progress.rate_bytes_per_sec));
    }
    if (!progress.done && progress.rate_bytes_per_sec > 0 && progress.bytes_total > progress.bytes_done) {
        const std::uint64_t left = (progress.bytes_total - progress.bytes_done) / progress.rate_bytes_per_sec;
        rest += fmt::format("  about {} left", human::duration(static_cast<std::int64_t>(left) * 1000));
    }
    const std::size_t room = columns > width + 1 ? columns - width - 1 : 0;
    return bar + cut_columns(printable(rest), room);
}

void Bar::show(const Progress& progress) {
    if (!live_) return;
    fmt::print(out_, "\r\x1b[K{}", line(progress, columns_to(out_)));
    std::fflush(out_);
    drawn_ = true;
}

}  // namespace backstay::cli

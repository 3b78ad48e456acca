#include "common/log.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>

#include "common/clock.h"
#include "common/last_words.h"

namespace backstay::log {
namespace {

constexpr std::size_t kValueMax = 2000;
constexpr std::size_t kUsualLine = 512;

// The one piece of process-wide state: what stderr is and how loud it shall be.
std::atomic<Level> minimum{Level::info};

// sd_journal_stream_fd(3): the variable names the journal's socket, and stderr may be something else: a file, a pipe.
bool under_journal() {
    static const bool yes = [] {
        const char* stream = std::getenv("JOURNAL_STREAM");
        struct stat about {};
        return stream != nullptr && ::fstat(STDERR_FILENO, &about) == 0 &&
               fmt::format("{}:{}", about.st_dev, about.st_ino) == stream;
    }();
    return yes;
}

std::string_view name(Level level) {
    switch (level) {
        case Level::debug:
            return "debug";
        case Level::info:
            return "info";
        case Level::warning:
            return "warning";
        case Level::error:
            return "error";
    }
    return "error";
}

// sd-daemon(3): "<7>" … "<3>" at the start of a line is its priority.
std::string_view priority(Level level) {
    switch (level) {
        case Level::debug:
            return "<7>";
        case Level::info:
            return "<6>";
        case Level::warning:
            return "<4>";
        case Level::error:
            return "<3>";
    }
    return "<3>";
}

bool stands_for_itself(char c) {
    return static_cast<unsigned char>(c) > 0x20 && c != 0x7f && c != '"' && c != '=' && c != '\\';
}

void append_escaped(std::string& out, std::string_view shown) {
    for (const char c : shown) {
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
            out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
        } else {
            out += c;
        }
    }
}

void append_value(std::string& out, std::string_view value) {
    const std::string_view shown = value.substr(0, kValueMax);
    const bool quote = shown.empty() || shown.find_first_of(" \"=\\") != std::string_view::npos;
    if (quote) out += '"';
    if (std::all_of(shown.begin(), shown.end(), stands_for_itself)) {
        out += shown;
    } else {
        append_escaped(out, shown);
    }
    if (shown.size() < value.size()) out += "...";
    if (quote) out += '"';
}

void say(const std::string& text) {
    // One write keeps lines of several threads whole (POSIX: pipes up to PIPE_BUF; terminals in practice).
    [[maybe_unused]] const ssize_t ignored = write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace

void set_level(Level level) { minimum = level; }

void line(Level level, std::string_view event, std::initializer_list<Field> fields) {
    if (level < minimum.load()) return;
    std::string text;
    text.reserve(kUsualLine);
    if (under_journal()) {
        text += priority(level);
    } else {
        append_rfc3339(text, SystemClock().now_ms());
        text.append(1, ' ').append(name(level)).append(1, ' ');
    }
    text += event;
    for (const Field& field : fields) {
        text += ' ';
        text += field.key();
        text += '=';
        append_value(text, field.value());
    }
    text += '\n';
    say(text);
}

void last_words(std::string_view program, const Error& error) {
    if (under_journal() && error.hint().empty()) return log::error("ended", {{"error", error.message()}});
    if (under_journal()) return log::error("ended", {{"error", error.message()}, {"hint", error.hint()}});
    std::string text = fmt::format("{}: {}\n", program, error.message());
    if (!error.hint().empty()) text += fmt::format("  hint: {}\n", error.hint());
    say(text);
}

}  // namespace backstay::log

#include "agent/hook/wire.h"

#include <charconv>

namespace backstay::hook {
namespace {

void add(std::string& text, std::string_view word, std::string_view value) {
    text.append(word).append(" ").append(value).append("\n");
}

bool read_number(std::string_view text, std::uint64_t& out) {
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), out);
    return fault == std::errc() && end == text.data() + text.size();
}

bool read_word(std::string_view word, std::string_view value, Request& request) {
    if (word == "system") return read_number(value, request.system_id);
    if (word == "ready") return read_number(value, request.ready);
    if (word == "free") return read_number(value, request.free_bytes);
    if (word == "total") return read_number(value, request.total_bytes);
    if (word == "spares") return read_number(value, request.spares) && request.spares <= kSparesMax;
    if (word != "ahead") return true;  // of a later version
    request.ahead.emplace_back(value);
    return request.ahead.size() <= kAheadMax;
}

}  // namespace

std::string write_request(const Request& request) {
    std::string text;
    add(text, request.fetch ? "fetch" : "push", request.name);
    add(text, "system", std::to_string(request.system_id));
    if (request.fetch) {
        add(text, "spares", std::to_string(request.spares));
        return text;
    }
    add(text, "ready", std::to_string(request.ready));
    add(text, "free", std::to_string(request.free_bytes));
    add(text, "total", std::to_string(request.total_bytes));
    for (const std::string& name : request.ahead) add(text, "ahead", name);
    return text;
}

std::optional<Request> read_request(std::string_view text) {
    Request request;
    bool first = true;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        if (end == std::string_view::npos) return std::nullopt;
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(end + 1);
        const std::size_t space = line.find(' ');
        if (space == std::string_view::npos) return std::nullopt;
        const std::string_view word = line.substr(0, space);
        const std::string_view value = line.substr(space + 1);
        if (first) {
            if (word != "push" && word != "fetch") return std::nullopt;
            request.fetch = word == "fetch";
            request.name = value;
        } else if (!read_word(word, value, request)) {
            return std::nullopt;
        }
        first = false;
    }
    if (first || (request.fetch ? !request.ahead.empty() : request.spares > 0)) return std::nullopt;
    return request;
}

std::string write_answer(const Answer& answer) {
    if (answer.outcome == Outcome::ok) return answer.beside ? "ok beside\n" : "ok\n";
    if (answer.outcome == Outcome::none) return "none\n";
    std::string text = "failed " + answer.message.substr(0, kMessageMax - 16);
    for (char& c : text) {
        if (c == '\n' || c == '\r') c = ' ';
    }
    return text + "\n";
}

Answer read_answer(std::string_view text) {
    if (text == "ok\n") return {Outcome::ok, "", false};
    if (text == "ok beside\n") return {Outcome::ok, "", true};
    if (text == "none\n") return {Outcome::none, "", false};
    constexpr std::string_view kFailed = "failed ";
    if (!text.starts_with(kFailed)) return {Outcome::failed, "the agent's answer is not understood", false};
    text.remove_prefix(kFailed.size());
    return {Outcome::failed, std::string(text.substr(0, text.find('\n'))), false};
}

}  // namespace backstay::hook

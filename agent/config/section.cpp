#include "agent/config/section.h"

#include <fmt/format.h>

#include <utility>

namespace backstay::config {

void Section::fault(std::string_view key, std::string_view message, std::uint32_t line) {
    const std::string place = title_.empty() ? std::string(key) : fmt::format("{} {}", title_, key);
    faults_->push_back({line != 0 ? line : line_, fmt::format("{}: {}", place, message)});
}

std::optional<Value> Section::take(std::string_view key) {
    const auto found = values_.find(std::string(key));
    if (found == values_.end()) return std::nullopt;
    std::optional<Value> value = std::move(found->second);
    values_.erase(found);
    return value;
}

std::map<std::string, Value> Section::take_rest() { return std::exchange(values_, {}); }

void Section::refuse_rest() {
    for (const auto& [key, value] : values_) fault(key, "is not known here", value.line);
    values_.clear();
}

template <class T>
const T* Section::typed(std::string_view key, std::string_view kind, std::optional<Value>& holder) {
    holder = take(key);
    if (!holder) return nullptr;
    const T* value = std::get_if<T>(&holder->held);
    if (value == nullptr) fault(key, fmt::format("must be {}", kind), holder->line);
    return value;
}

void Section::read(std::string_view key, std::string& out) {
    std::optional<Value> holder;
    const std::string* text = typed<std::string>(key, "a text in quotes", holder);
    if (text == nullptr) return;
    if (text->find_first_of(std::string_view("\0\n\r", 3)) != std::string::npos) {
        return fault(key, "must be one line", holder->line);
    }
    out = *text;
}

void Section::read_path(std::string_view key, std::string& out) {
    const auto found = values_.find(std::string(key));
    const std::uint32_t line = found == values_.end() ? 0 : found->second.line;
    std::string path = out;
    read(key, path);
    if (!path.empty() && !path.starts_with('/')) return fault(key, "must be an absolute path", line);
    while (path.size() > 1 && path.ends_with('/')) path.pop_back();
    out = std::move(path);
}

void Section::read(std::string_view key, bool& out) {
    std::optional<Value> holder;
    if (const bool* value = typed<bool>(key, "true or false", holder)) out = *value;
}

void Section::read(std::string_view key, std::vector<std::string>& out) {
    std::optional<Value> holder;
    if (const auto* list = typed<std::vector<std::string>>(key, "a list of texts", holder)) out = *list;
}

void Section::read(std::string_view key, std::uint16_t& port, std::int32_t low) {
    std::int32_t wide = port;
    read(key, wide, low, 65535);
    port = static_cast<std::uint16_t>(wide);
}

void Section::read(std::string_view key, std::int32_t& out, std::int32_t low, std::int32_t high) {
    std::optional<Value> holder;
    const auto* number = typed<std::int64_t>(key, "a whole number", holder);
    if (number == nullptr) return;
    if (*number < low || *number > high) {
        return fault(key, fmt::format("must be between {} and {}", low, high), holder->line);
    }
    out = static_cast<std::int32_t>(*number);
}

void Section::read(std::string_view key, std::uint64_t& out) {
    std::optional<Value> holder;
    const auto* number = typed<std::int64_t>(key, "a whole number of bytes", holder);
    if (number == nullptr) return;
    if (*number < 0) return fault(key, "must not be negative", holder->line);
    out = static_cast<std::uint64_t>(*number);
}

}  // namespace backstay::config

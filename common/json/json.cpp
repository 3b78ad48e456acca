#include "common/json/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/monotonic_resource.hpp>
#include <utility>

namespace backstay::json {
namespace {

constexpr std::size_t kDepthMax = 32;

// A pass of its own that only looks for what the DOM would hide: a key that stands twice in one object.
class DuplicateKeys {
public:
    static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);
    using Code = boost::system::error_code;
    using Text = boost::json::string_view;

    bool on_document_begin(Code&) { return true; }
    bool on_document_end(Code&) { return true; }
    bool on_object_begin(Code&) {
        objects_.push_back({keys_.size(), texts_.size()});
        return true;
    }
    bool on_object_end(std::size_t, Code& code) {
        const Opened opened = objects_.back();
        const auto begin = keys_.begin() + static_cast<std::ptrdiff_t>(opened.keys);
        std::sort(begin, keys_.end(), [this](const Key& a, const Key& b) { return text_of(a) < text_of(b); });
        const auto same = [this](const Key& a, const Key& b) { return text_of(a) == text_of(b); };
        const auto twice = std::adjacent_find(begin, keys_.end(), same);
        if (twice != keys_.end()) {
            twice_ = text_of(*twice);
            code = boost::json::error::syntax;
            return false;
        }
        keys_.erase(begin, keys_.end());
        texts_.resize(opened.texts);
        objects_.pop_back();
        return true;
    }
    bool on_array_begin(Code&) { return true; }
    bool on_array_end(std::size_t, Code&) { return true; }
    bool on_key_part(Text text, std::size_t, Code&) {
        texts_.append(text.data(), text.size());
        part_ += text.size();
        return true;
    }
    bool on_key(Text text, std::size_t, Code&) {
        texts_.append(text.data(), text.size());
        const std::size_t size = std::exchange(part_, 0) + text.size();
        keys_.push_back({texts_.size() - size, size});
        return true;
    }
    bool on_string_part(Text, std::size_t, Code&) { return true; }
    bool on_string(Text, std::size_t, Code&) { return true; }
    bool on_number_part(Text, Code&) { return true; }
    bool on_int64(std::int64_t, Text, Code&) { return true; }
    bool on_uint64(std::uint64_t, Text, Code&) { return true; }
    bool on_double(double, Text, Code&) { return true; }
    bool on_bool(bool, Code&) { return true; }
    bool on_null(Code&) { return true; }
    bool on_comment_part(Text, Code&) { return true; }
    bool on_comment(Text, Code&) { return true; }

    const std::optional<std::string>& twice() const { return twice_; }

private:
    struct Key {
        std::size_t begin;
        std::size_t size;
    };
    struct Opened {
        std::size_t keys;  // how many there were before its own
        std::size_t texts;
    };
    std::string_view text_of(const Key& key) const { return std::string_view(texts_).substr(key.begin, key.size); }

    // Of the objects that are open, one behind the other: documents are read often, and an allocation for each key
    // cost more than the reading.
    std::vector<Key> keys_;
    std::vector<Opened> objects_;
    std::string texts_;
    std::size_t part_ = 0;  // of a key that came in pieces
    std::optional<std::string> twice_;
};

}  // namespace

Result<Value> parse(std::string_view text) {
    boost::json::parse_options options;
    options.max_depth = kDepthMax;
    boost::json::basic_parser<DuplicateKeys> scan(options);
    boost::json::error_code code;
    const std::size_t used = scan.write_some(false, text.data(), text.size(), code);
    if (const auto& twice = scan.handler().twice()) {
        return Error(Errc::invalid, fmt::format("the key '{}' stands twice", twice->substr(0, 64)));
    }
    if (code || !scan.done() || used != text.size()) {
        return Error(Errc::invalid, fmt::format("not valid JSON near byte {}{}{}", used, code ? ": " : "",
                                                code ? code.message() : std::string()));
    }
    // In few blocks of memory, which go when the last of the document goes.
    Value value = boost::json::parse(boost::json::string_view(text.data(), text.size()), code,
                                     boost::json::make_shared_resource<boost::json::monotonic_resource>(), options);
    if (code) return Error(Errc::invalid, "not valid JSON: " + code.message());
    return value;
}

std::string serialize(const Value& value) { return boost::json::serialize(value); }

namespace {
void write_pretty(const Value& value, std::size_t depth, std::string& out) {
    const std::string indent(2 * (depth + 1), ' ');
    const std::string outdent(2 * depth, ' ');
    bool first = true;
    if (const Object* object = value.if_object(); object != nullptr && !object->empty()) {
        out += '{';
        for (const auto& item : *object) {
            out += (first ? "\n" : ",\n") + indent + json::serialize(Value(item.key())) + ": ";
            write_pretty(item.value(), depth + 1, out);
            first = false;
        }
        out += "\n" + outdent + "}";
    } else if (const Array* array = value.if_array(); array != nullptr && !array->empty()) {
        out += '[';
        for (const Value& item : *array) {
            out += (first ? "\n" : ",\n") + indent;
            write_pretty(item, depth + 1, out);
            first = false;
        }
        out += "\n" + outdent + "]";
    } else {
        out += json::serialize(value);
    }
}
}  // namespace

std::string serialize_pretty(const Value& value) {
    std::string out;
    write_pretty(value, 0, out);
    return out + "\n";
}

Error to_error(const Faults& faults) {
    std::string text;
    for (const Fault& fault : faults) {
        if (!text.empty()) text += "; ";
        text += fault.field.empty() ? fault.message : fault.field + " " + fault.message;
    }
    return Error(Errc::invalid, text);
}

std::string camel_case(std::string_view snake) {
    std::string camel;
    detail::in_camel_case(snake, [&camel](char c) { camel += c; });
    return camel;
}

namespace detail {

void fault(Faults& faults, const std::string& path, std::string message) {
    constexpr std::size_t kFaultsMax = 50;  // enough to help, bounded against hostile documents
    if (faults.size() < kFaultsMax) faults.push_back({path, std::move(message)});
}

std::string join(const std::string& path, std::string_view member) {
    const std::string_view shown = member.substr(0, 64);
    return path.empty() ? std::string(shown) : path + "." + std::string(shown);
}

bool decode_bool(const Value& value, const std::string& path, bool& out, Faults& faults) {
    if (const bool* found = value.if_bool()) {
        out = *found;
        return true;
    }
    fault(faults, path, "must be true or false");
    return false;
}

bool decode_string(const Value& value, const std::string& path, std::string& out, Faults& faults) {
    const auto* found = value.if_string();
    if (found == nullptr) {
        fault(faults, path, "must be a string");
        return false;
    }
    if (found->find('\0') != boost::json::string::npos) {
        fault(faults, path, "must not contain NUL");
        return false;
    }
    out.assign(found->data(), found->size());
    return true;
}

bool decode_time(const Value& value, const std::string& path, Timestamp& out, Faults& faults) {
    std::string text;
    if (!decode_string(value, path, text, faults)) return false;
    auto time = parse_rfc3339(text);
    if (!time) {
        fault(faults, path, "must be an RFC 3339 time with an offset");
        return false;
    }
    out.ms = *time;
    return true;
}

bool decode_double(const Value& value, const std::string& path, double& out, Faults& faults) {
    if (!value.is_number()) {
        fault(faults, path, "must be a number");
        return false;
    }
    out = value.to_number<double>();
    return true;
}

bool decode_signed(const Value& value, const std::string& path, std::int64_t low, std::int64_t high, std::int64_t& out,
                   Faults& faults) {
    const std::int64_t* found = value.if_int64();
    if (found == nullptr && !value.is_uint64()) {
        fault(faults, path, "must be a whole number");
        return false;
    }
    if (found == nullptr || *found < low || *found > high) {
        fault(faults, path, fmt::format("must lie between {} and {}", low, high));
        return false;
    }
    out = *found;
    return true;
}

bool decode_unsigned(const Value& value, const std::string& path, std::uint64_t high, std::uint64_t& out,
                     Faults& faults) {
    std::uint64_t found = 0;
    if (const auto* small = value.if_int64(); small != nullptr && *small >= 0) {
        found = static_cast<std::uint64_t>(*small);
    } else if (const auto* large = value.if_uint64()) {
        found = *large;
    } else {
        fault(faults, path, value.is_int64() ? "must not be negative" : "must be a whole number");
        return false;
    }
    if (found > high) {
        fault(faults, path, fmt::format("must be at most {}", high));
        return false;
    }
    out = found;
    return true;
}

}  // namespace detail
}  // namespace backstay::json

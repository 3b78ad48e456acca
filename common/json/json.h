// JSON: Boost.JSON's home. Strict parsing, and a typed coder over Boost.Describe that names every fault by its path.
//
// Members are written in snake_case and travel in camelCase (the contract under /api and the agent protocol) or as they
// are (the contract under /api/public/v1). std::optional without value travels as null, vectors are never null,
// Timestamp is RFC 3339 text, described enums are their enumerators' names, integers are exact.
#pragma once

#include <boost/describe.hpp>
#include <boost/json.hpp>
#include <boost/mp11.hpp>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "common/clock.h"
#include "common/json/shapes.h"
#include "common/json/text.h"
#include "common/result.h"

namespace backstay::json {

using Value = boost::json::value;
using Object = boost::json::object;
using Array = boost::json::array;

// Refuses invalid UTF-8, depth over 32, duplicate keys and anything after the value.
Result<Value> parse(std::string_view text);
std::string serialize(const Value& value);
std::string serialize_pretty(const Value& value);

// One thing wrong with a document; `field` is its path in the sender's spelling: "destinations[0].config.bucket".
struct Fault {
    std::string field;
    std::string message;
};
using Faults = std::vector<Fault>;

// "field: message; field: message"
Error to_error(const Faults& faults);

enum class Unknown { refuse, ignore };        // servers refuse unknown fields, readers of answers ignore them
enum class Missing { refuse, keep_default };  // of members that are not std::optional

struct DecodeOptions {
    Names names = Names::camel;
    Unknown unknown = Unknown::refuse;
    Missing missing = Missing::refuse;
};

// For messages between programs of different versions.
inline constexpr DecodeOptions kLenient{Names::camel, Unknown::ignore, Missing::keep_default};

// "backup_type" → "backupType"
std::string camel_case(std::string_view snake);

namespace detail {

bool decode_bool(const Value& value, const std::string& path, bool& out, Faults& faults);
bool decode_string(const Value& value, const std::string& path, std::string& out, Faults& faults);
bool decode_time(const Value& value, const std::string& path, Timestamp& out, Faults& faults);
bool decode_double(const Value& value, const std::string& path, double& out, Faults& faults);
bool decode_signed(const Value& value, const std::string& path, std::int64_t low, std::int64_t high, std::int64_t& out,
                   Faults& faults);
bool decode_unsigned(const Value& value, const std::string& path, std::uint64_t high, std::uint64_t& out,
                     Faults& faults);
void fault(Faults& faults, const std::string& path, std::string message);
std::string join(const std::string& path, std::string_view member);

template <class T>
void decode_into(const Value& value, const std::string& path, const DecodeOptions& options, T& out, Faults& faults);

template <class T>
void decode_struct(const Value& value, const std::string& path, const DecodeOptions& options, T& out, Faults& faults) {
    namespace describe = boost::describe;
    const Object* object = value.if_object();
    if (object == nullptr) return fault(faults, path, "must be an object");
    using Members = describe::describe_members<T, describe::mod_public>;
    std::size_t used = 0;
    boost::mp11::mp_for_each<Members>([&](auto member) {
        const std::string_view name = member_name<decltype(member)>(options.names);
        auto& field = out.*member.pointer;
        using Field = std::remove_reference_t<decltype(field)>;
        const Value* found = object->if_contains(name);
        if (found == nullptr) {
            if (!IsOptional<Field>::value && options.missing == Missing::refuse) {
                fault(faults, join(path, name), "is required");
            }
            return;
        }
        ++used;
        decode_into(*found, join(path, name), options, field, faults);
    });
    if (options.unknown == Unknown::ignore || used == object->size()) return;
    for (const auto& item : *object) {
        bool known = false;
        boost::mp11::mp_for_each<Members>(
            [&](auto member) { known = known || item.key() == member_name<decltype(member)>(options.names); });
        if (!known) fault(faults, join(path, item.key()), "is not known here");
    }
}

template <class T>
void decode_enum(const Value& value, const std::string& path, T& out, Faults& faults) {
    std::string text;
    if (!decode_string(value, path, text, faults)) return;
    bool found = false;
    std::string allowed;
    boost::mp11::mp_for_each<boost::describe::describe_enumerators<T>>([&](auto item) {
        if (text == item.name) {
            out = item.value;
            found = true;
        }
        allowed += allowed.empty() ? "" : ", ";
        allowed += item.name;
    });
    if (!found) fault(faults, path, "must be one of " + allowed);
}

template <class T>
void decode_into(const Value& value, const std::string& path, const DecodeOptions& options, T& out, Faults& faults) {
    if constexpr (std::is_same_v<T, Value>) {
        out = value;
    } else if constexpr (std::is_same_v<T, Object>) {
        if (const Object* object = value.if_object()) {
            out = *object;
        } else {
            fault(faults, path, "must be an object");
        }
    } else if constexpr (std::is_same_v<T, bool>) {
        decode_bool(value, path, out, faults);
    } else if constexpr (std::is_same_v<T, std::string>) {
        decode_string(value, path, out, faults);
    } else if constexpr (std::is_same_v<T, Timestamp>) {
        decode_time(value, path, out, faults);
    } else if constexpr (std::is_same_v<T, double>) {
        decode_double(value, path, out, faults);
    } else if constexpr (kIsDescribedEnum<T>) {
        decode_enum(value, path, out, faults);
    } else if constexpr (std::is_integral_v<T> && std::is_signed_v<T>) {
        std::int64_t wide = 0;
        if (decode_signed(value, path, std::numeric_limits<T>::min(), std::numeric_limits<T>::max(), wide, faults)) {
            out = static_cast<T>(wide);
        }
    } else if constexpr (std::is_integral_v<T>) {
        std::uint64_t wide = 0;
        if (decode_unsigned(value, path, std::numeric_limits<T>::max(), wide, faults)) out = static_cast<T>(wide);
    } else if constexpr (IsOptional<T>::value) {
        if (value.is_null()) {
            out.reset();
        } else {
            decode_into(value, path, options, out.emplace(), faults);
        }
    } else if constexpr (IsVector<T>::value) {
        const Array* array = value.if_array();
        if (array == nullptr) return fault(faults, path, "must be an array");
        out.clear();
        for (const Value& item : *array) {
            const std::string item_path = path + "[" + std::to_string(out.size()) + "]";
            decode_into(item, item_path, options, out.emplace_back(), faults);
        }
    } else if constexpr (IsStringMap<T>::value) {
        const Object* object = value.if_object();
        if (object == nullptr) return fault(faults, path, "must be an object");
        out.clear();
        for (const auto& item : *object) {
            decode_into(item.value(), join(path, item.key()), options, out[std::string(item.key())], faults);
        }
    } else {
        static_assert(kIsDescribedStruct<T>, "describe the struct with BOOST_DESCRIBE_STRUCT");
        decode_struct(value, path, options, out, faults);
    }
}

}  // namespace detail

// Decodes what it can into `out` and collects every fault; true when there was none.
template <class T>
bool decode_into(const Value& value, T& out, Faults& faults, const DecodeOptions& options = {}) {
    const std::size_t before = faults.size();
    detail::decode_into(value, "", options, out, faults);
    return faults.size() == before;
}

template <class T>
Result<T> decode(const Value& value, const DecodeOptions& options = {}) {
    T out{};
    Faults faults;
    if (!decode_into(value, out, faults, options)) return to_error(faults);
    return out;
}

template <class T>
Result<T> decode_text(std::string_view text, const DecodeOptions& options = {}) {
    const Value value = TRY(parse(text));
    return decode<T>(value, options);
}

template <class T>
Value encode(const T& value, Names names = Names::camel) {
    namespace describe = boost::describe;
    if constexpr (std::is_same_v<T, Value>) {
        return value;
    } else if constexpr (std::is_same_v<T, Object> || std::is_same_v<T, bool> || std::is_same_v<T, double>) {
        return Value(value);
    } else if constexpr (std::is_convertible_v<T, std::string_view>) {
        return Value(boost::json::string(std::string_view(value)));
    } else if constexpr (std::is_same_v<T, Timestamp>) {
        return Value(boost::json::string(to_rfc3339(value.ms)));
    } else if constexpr (detail::kIsDescribedEnum<T>) {
        return Value(boost::json::string(describe::enum_to_string(value, "")));
    } else if constexpr (std::is_integral_v<T> && std::is_signed_v<T>) {
        return Value(static_cast<std::int64_t>(value));
    } else if constexpr (std::is_integral_v<T>) {
        return Value(static_cast<std::uint64_t>(value));
    } else if constexpr (detail::IsOptional<T>::value) {
        return value.has_value() ? encode(*value, names) : Value(nullptr);
    } else if constexpr (detail::IsVector<T>::value) {
        Array array;
        array.reserve(value.size());
        for (const auto& item : value) array.push_back(encode(item, names));
        return Value(std::move(array));
    } else if constexpr (detail::IsStringMap<T>::value) {
        Object object;
        for (const auto& [key, item] : value) object.emplace(key, encode(item, names));
        return Value(std::move(object));
    } else {
        static_assert(detail::kIsDescribedStruct<T>, "describe the struct with BOOST_DESCRIBE_STRUCT");
        Object object;
        boost::mp11::mp_for_each<describe::describe_members<T, describe::mod_public>>([&](auto member) {
            object.emplace(detail::member_name<decltype(member)>(names), encode(value.*member.pointer, names));
        });
        return Value(std::move(object));
    }
}

}  // namespace backstay::json

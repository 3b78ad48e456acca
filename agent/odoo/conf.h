// odoo.conf: the keys of its [options] section, and the file without its secrets.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"

namespace backstay::odoo {

struct Conf {
    std::string path;
    std::string text;
    std::map<std::string, std::string> options;

    // The option, or empty; Odoo writes False and None for "not set".
    std::string get(const std::string& key) const;
    std::vector<std::string> addons_paths() const;
};

// Errors: reason config_missing.
Result<Conf> read_conf(const std::string& path);
Conf parse_conf(std::string file, std::string text);

// The text with every secret's value replaced by "********": passwords, tokens, keys, and the passwords inside URLs.
std::string redact_conf(std::string_view text);

}  // namespace backstay::odoo

// A decorator that keeps uploads and downloads below a speed that may change while they run.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>

#include "storage/storage.h"

namespace backstay {

// `bytes_per_second` is asked for every piece; 0 is unlimited. A stop request ends a wait with `cancelled`.
std::unique_ptr<Storage> limit_rate(std::unique_ptr<Storage> inner, std::function<std::uint64_t()> bytes_per_second,
                                    std::stop_token stop);

}  // namespace backstay

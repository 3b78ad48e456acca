#include "agent/archiver/backlog.h"

namespace backstay::archiver {
namespace {

constexpr TimeMs kSpanMs = 300'000;
constexpr TimeMs kStepMs = 5'000;
constexpr TimeMs kEnoughMs = 10'000;

}  // namespace

void Backlog::add(const BacklogSample& sample) {
    // The newest is replaced until it stands far enough from the one before.
    const std::size_t count = samples_.size();
    if (count >= 2 && samples_[count - 1].at - samples_[count - 2].at < kStepMs) samples_.pop_back();
    samples_.push_back(sample);
    while (samples_.size() > 2 && sample.at - samples_[1].at >= kSpanMs) samples_.pop_front();
}

std::optional<double> Backlog::growth() const {
    if (samples_.size() < 2) return std::nullopt;
    const BacklogSample& from = samples_.front();
    const BacklogSample& to = samples_.back();
    if (to.at - from.at < kEnoughMs) return std::nullopt;
    const double bytes = static_cast<double>(to.waiting_bytes) - static_cast<double>(from.waiting_bytes);
    return bytes * 1000 / static_cast<double>(to.at - from.at);
}

std::optional<std::int64_t> Backlog::seconds_to_full() const {
    const auto rate = growth();
    if (!rate || *rate < 1) return std::nullopt;
    return static_cast<std::int64_t>(static_cast<double>(samples_.back().free_bytes) / *rate);
}

}  // namespace backstay::archiver

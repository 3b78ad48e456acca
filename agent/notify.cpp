#include "agent/notify.h"

#include <fmt/format.h>
#include <systemd/sd-daemon.h>
#include <time.h>

namespace backstay::notify {

void ready(const std::string& status) { ::sd_notify(0, fmt::format("READY=1\nSTATUS={}", status).c_str()); }

void reloading() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    const auto us = static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(now.tv_nsec) / 1000;
    ::sd_notify(0, fmt::format("RELOADING=1\nMONOTONIC_USEC={}", us).c_str());
}

void stopping() { ::sd_notify(0, "STOPPING=1"); }

void alive() { ::sd_notify(0, "WATCHDOG=1"); }

std::uint64_t watchdog_interval_ms() {
    std::uint64_t us = 0;
    return ::sd_watchdog_enabled(0, &us) > 0 ? us / 2000 : 0;
}

}  // namespace backstay::notify

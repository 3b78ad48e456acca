// What systemd is told (sd_notify). Outside of systemd every call does nothing.
#pragma once

#include <cstdint>
#include <string>

namespace backstay::notify {

void ready(const std::string& status);
void reloading();
void stopping();
void alive();
// Half of WatchdogSec in milliseconds; 0: nobody watches.
std::uint64_t watchdog_interval_ms();

}  // namespace backstay::notify

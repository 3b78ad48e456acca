// retention-tool COUNT: how long retention takes to judge so many backups of one environment, hourly ones of the
// database and a full one a day. Prints how many are kept, and milliseconds, one line a round.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "common/domain/retention.h"

int main(int argc, char** argv) {
    const long count = argc > 1 ? std::strtol(argv[1], nullptr, 10) : 10'000;
    const auto zone = backstay::Zone::find("Europe/Brussels");
    const auto policy = zone ? backstay::retention::resolve(backstay::retention::usual_numbers(), *zone) : zone.error();
    if (!policy || count < 1) return 2;
    constexpr backstay::TimeMs kNow = 1'800'000'000'000;
    constexpr backstay::TimeMs kHour = 3'600'000;
    std::vector<backstay::retention::Candidate> backups;
    for (long i = 0; i < count; ++i) {
        backups.push_back({std::to_string(i), i % 24 == 0 ? "full" : "db", i % 50 == 7 ? "partial" : "completed",
                           kNow - i * kHour, false});
    }
    for (int round = 0; round < 20; ++round) {
        const auto began = std::chrono::steady_clock::now();
        const auto verdicts = backstay::retention::decide(backups, *policy, kNow);
        const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - began;
        if (verdicts.size() != backups.size()) return 1;
        if (round == 0) {
            const auto kept = std::count_if(verdicts.begin(), verdicts.end(), [](const auto& one) { return one.keep; });
            std::printf("%td\n", kept);
        }
        std::printf("%.3f\n", took.count());
    }
    return 0;
}

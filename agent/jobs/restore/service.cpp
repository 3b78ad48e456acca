#include "agent/jobs/restore/service.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <condition_variable>
#include <mutex>

#include "common/clock.h"
#include "common/domain/reasons.h"
#include "common/http/client.h"
#include "common/process/subprocess.h"

namespace backstay::restore {
namespace {

constexpr std::int64_t kCommandLimitMs = 300'000;
constexpr auto kHealthPause = std::chrono::milliseconds(500);

Result<Testimony> run_command(const std::vector<std::string>& argv, std::stop_token stop) {
    ProcessSpec spec;
    spec.argv = argv;
    spec.stop = std::move(stop);
    const std::int64_t begun = steady_ms();
    Testimony testimony;
    testimony.output = TRY(run_tool(std::move(spec), kCommandLimitMs, 64 << 10));
    testimony.summary = fmt::format("{} ended with 0", fmt::join(argv, " "));
    testimony.facts = {{"command", fmt::format("{}", fmt::join(argv, " "))},
                       {"duration_ms", std::to_string(steady_ms() - begun)}};
    return testimony;
}

// False: stopped meanwhile.
bool pause(const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any wake;
    std::unique_lock lock(mutex);
    wake.wait_for(lock, stop, kHealthPause, [] { return false; });
    return !stop.stop_requested();
}

}  // namespace

bool manages_service(const OdooConfig* odoo) {
    return odoo != nullptr && !odoo->start_command.empty() && !odoo->stop_command.empty();
}

bool checks_health(const OdooConfig* odoo) { return odoo != nullptr && !odoo->health_url.empty(); }

Result<Testimony> stop_instance(const OdooConfig& odoo, std::stop_token stop) {
    return run_command(odoo.stop_command, std::move(stop));
}

Result<Testimony> start_instance(const OdooConfig& odoo, std::stop_token stop) {
    return run_command(odoo.start_command, std::move(stop));
}

Result<Testimony> await_health(const OdooConfig& odoo, std::stop_token stop, std::int64_t limit_ms) {
    http::Client client(http::ClientOptions{});
    http::ClientRequest request;
    request.url = odoo.health_url;
    request.total_ms = 10'000;
    request.stop = stop;
    const std::int64_t begun = steady_ms();
    std::string last = "no answer";
    while (steady_ms() - begun < limit_ms) {
        auto answer = client.perform(request);
        if (answer && answer->status == 200) {
            Testimony testimony;
            testimony.summary = fmt::format("{} answered 200 after {} ms", odoo.health_url, steady_ms() - begun);
            testimony.proofs = {"health:http_200"};
            return testimony;
        }
        last = answer ? fmt::format("status {}", answer->status) : answer.error().message();
        if (!pause(stop)) return Error(Errc::cancelled, "stopped").with_reason(reason::kCancelled);
    }
    return Error(Errc::unavailable,
                 fmt::format("{} did not answer 200 within {} s: {}", odoo.health_url, limit_ms / 1000, last))
        .with_reason(reason::kHealthCheckFailed);
}

}  // namespace backstay::restore

#include "agent/storage-desk/odoo_zip.h"

#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

#include "agent/jobs/odoo_zip/export.h"
#include "agent/storage-desk/delivery.h"
#include "common/event/byte_pipe.h"
#include "common/log.h"
#include "common/version.h"

namespace backstay {
namespace {

// A dump that was made in parallel is fetched whole before the first line of SQL.
constexpr BytePipe::Limits kPatient = {512 * 1024, 30 * 60 * 1000};

Result<> make_zip(const control_plane::StorageRequest& request, const AgentConfig& config, const std::stop_token& stop,
                  Sink& to) {
    const SystemClock clock;
    const std::atomic<std::uint64_t> rate{config.limits.rate_bytes_per_sec};
    const JobHost host{config, "", std::string(kVersion), clock, rate};
    auto backup = TRY(restore::open_backup({request.destination}, request.prefix, request.key, host, stop));
    TRY(odoo_zip::check_exportable(backup));
    TRY(odoo_zip::write_odoo_zip(backup, {host, stop, {}}, to));
    return {};
}

// What was read already, then the rest.
class Resumed final : public Source {
public:
    Resumed(ByteSpan first, Source& rest) : first_(first), rest_(rest) {}
    Result<std::size_t> read(MutableByteSpan buffer) override {
        if (first_.empty()) return rest_.read(buffer);
        const std::size_t count = std::min(buffer.size(), first_.size());
        std::memcpy(buffer.data(), first_.data(), count);
        first_ = first_.subspan(count);
        return count;
    }

private:
    ByteSpan first_;
    Source& rest_;
};

}  // namespace

Result<> send_odoo_zip(const control_plane::StorageRequest& request, const AgentConfig& config,
                       control_plane::ControlPlaneClient& client, const std::stop_token& stop) {
    BytePipe pipe(kPatient);
    std::jthread maker([&] {
        PipeSink sink(pipe);
        if (auto made = make_zip(request, config, stop, sink); made) {
            pipe.finish();
        } else {
            pipe.fail(made.error());
        }
    });
    std::vector<std::byte> first(256 * 1024);
    auto count = pipe.read(first);
    if (!count) return std::move(count).error();
    PipeSource rest(pipe);
    Resumed source(ByteSpan(first).first(*count), rest);
    const auto sent = deliver(client, request, source, std::nullopt);
    pipe.close(Error(Errc::cancelled, "nobody wants more"));
    return sent;
}

}  // namespace backstay

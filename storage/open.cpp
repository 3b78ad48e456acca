#include <fmt/format.h>

#include "common/domain/reasons.h"
#include "storage/destination.h"
#include "storage/directory/directory_storage.h"
#include "storage/rate_limited.h"
#include "storage/retrying.h"
#include "storage/s3/s3_storage.h"
#include "storage/sftp/sftp_storage.h"

namespace backstay {

namespace {

Result<std::unique_ptr<Storage>> open_driver(const Destination& destination, const StorageContext& context) {
    if (destination.type == "local" && destination.local) {
        return directory::open_directory(*destination.local, context.local_roots, context.stop);
    }
    if ((destination.type == "s3" || destination.type == "s3_compatible") && destination.s3) {
        return s3::open_s3(*destination.s3, context);
    }
    if (destination.type == "sftp" && destination.sftp) return sftp::open_sftp(*destination.sftp, context);
    return Error(Errc::invalid, fmt::format("destination type '{}' cannot be opened", destination.type))
        .with_reason(kDestinationTypeUnsupported);
}

}  // namespace

Result<std::unique_ptr<Storage>> open_storage(const Destination& destination, const StorageContext& context) {
    const std::string doing = fmt::format("open destination '{}'", destination.name);
    std::unique_ptr<Storage> storage = TRY(open_driver(destination, context).context(doing));
    const RetryPolicy policy = {context.patience.attempts, context.patience.first_wait_ms,
                                context.patience.longest_wait_ms};
    storage = retry_calls(std::move(storage), policy, context.stop);
    if (context.rate_limit) storage = limit_rate(std::move(storage), context.rate_limit, context.stop);
    return storage;
}

}  // namespace backstay

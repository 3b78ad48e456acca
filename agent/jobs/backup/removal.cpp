// Deleting a backup from its destinations, and testing a destination.
#include <array>

#include "agent/jobs/destinations.h"
#include "agent/jobs/jobs.h"
#include "common/domain/reasons.h"
#include "storage/destination.h"

namespace backstay {
namespace {

// A database backup may lack some of them; the control plane looks at those that it knows.
constexpr std::array<std::string_view, 5> kArtifacts{artifact::kManifest, artifact::kDatabase, artifact::kFilestore,
                                                     artifact::kConfig, artifact::kGlobals};

Result<> record(Steps& steps, const std::string& destination, CopyState state, const Error* error) {
    for (const std::string_view name : kArtifacts) {
        CopyRecord copy;
        copy.destination_id = destination;
        copy.artifact = name;
        copy.state = state;
        if (error != nullptr) {
            copy.message = error->message();
            copy.reason = error->reason();
        }
        TRY(steps.copied(copy));
    }
    return {};
}

Result<> delete_from(const DestinationOrder& destination, const DeleteOrder& order, const JobHost& host, Steps& steps) {
    TRY(record(steps, destination.id, CopyState::deleting, nullptr));
    const auto storage = TRY(open_destination(destination, host, steps.stop_token()));
    TRY(remove_folder_objects(*storage, order.folder));
    return record(steps, destination.id, CopyState::deleted, nullptr);
}

}  // namespace

Result<> run_delete(const DeleteOrder& order, const JobHost& host, Steps& steps) {
    if (!order.folder.starts_with("v1/") || order.folder.find(order.backup_id) == std::string::npos) {
        return Error(Errc::invalid, "this is no backup's folder: " + order.folder);
    }
    std::optional<Error> first;
    for (const DestinationOrder& destination : order.destinations) {
        Result<> deleted = delete_from(destination, order, host, steps).context("delete from " + destination.name);
        if (deleted) continue;
        // Still to be deleted, and why not yet.
        deleted.error().add_reason(deleted.error().code() == Errc::denied ? reason::kRemoteImmutable
                                                                          : reason::kDestinationUnreachable);
        TRY(record(steps, destination.id, CopyState::deleting, &deleted.error()));
        if (!first) {
            first = std::move(deleted).error();
        } else {
            first->followed_by(deleted.error());
        }
    }
    if (first) return std::move(*first);
    return {};
}

Result<> run_test_destination(const TestDestinationOrder& order, const JobHost& host) {
    const auto storage = TRY(open_destination(order.destination, host, {}, kBriefPatience));
    return probe_storage(*storage).reason(reason::kDestinationUnreachable);
}

}  // namespace backstay

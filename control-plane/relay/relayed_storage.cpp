#include "control-plane/relay/relayed_storage.h"

#include <utility>

namespace backstay::relay {
namespace {

using control_plane::StorageAnswer;
using control_plane::StorageObject;
using control_plane::StorageRequest;

ObjectInfo info_of(const StorageObject& object) {
    return {object.key, object.size_bytes, object.modified_at.ms, object.etag, ""};
}

Error no_object() { return Error(Errc::corrupted, "the agent answered without the object"); }

class RelayedStorage final : public Storage {
public:
    RelayedStorage(StorageDesk& desk, sql::Database& store, std::string agent, DestinationOrder destination,
                   std::stop_token stop)
        : desk_(desk),
          store_(store),
          agent_(std::move(agent)),
          destination_(std::move(destination)),
          stop_(std::move(stop)) {}

    std::string_view kind() const override { return "local"; }

    Result<ObjectInfo> put(std::string_view key, Source& content, const PutOptions& options) override {
        StorageRequest request = request_for("write", key);
        request.expected_bytes = options.expected_bytes;
        const StorageAnswer answer = TRY(desk_.bring(agent_, std::move(request), content, stop_, &store_));
        if (!answer.object) return no_object();
        return info_of(*answer.object);
    }

    Result<> get(std::string_view key, const ByteRange& range, Sink& into) override {
        StorageRequest request = request_for("read", key);
        request.first = range.first;
        request.count = range.count;
        return desk_.fetch(agent_, std::move(request), into, stop_, &store_);
    }

    Result<ObjectInfo> stat(std::string_view key) override {
        const StorageAnswer answer = TRY(desk_.ask(agent_, request_for("stat", key), stop_, &store_));
        if (!answer.object) return no_object();
        return info_of(*answer.object);
    }

    Result<ListPage> list(const ListQuery& query) override {
        StorageRequest request = request_for("list", "");
        request.prefix = query.prefix;
        request.one_level = query.one_level;
        request.continue_after = query.continue_after;
        request.max_entries = query.max_entries;
        StorageAnswer answer = TRY(desk_.ask(agent_, std::move(request), stop_, &store_));
        ListPage page;
        for (const StorageObject& object : answer.objects) page.objects.push_back(info_of(object));
        page.folders = std::move(answer.folders);
        page.next = std::move(answer.next);
        return page;
    }

    Result<> remove(std::string_view key) override {
        TRY(desk_.ask(agent_, request_for("remove", key), stop_, &store_));
        return {};
    }

    // Its agent sweeps by itself.
    Result<std::uint64_t> sweep_leftovers(TimeMs) override { return std::uint64_t{0}; }

    Result<std::optional<std::uint64_t>> free_bytes() override {
        return TRY(desk_.ask(agent_, request_for("free", ""), stop_, &store_)).free_bytes;
    }

    Result<std::optional<std::string>> presign_get(std::string_view, std::uint32_t, std::string_view) override {
        return std::optional<std::string>();
    }

private:
    StorageRequest request_for(std::string_view action, std::string_view key) const {
        StorageRequest request;
        request.action = action;
        request.destination = destination_;
        request.key = key;
        return request;
    }

    StorageDesk& desk_;
    sql::Database& store_;
    const std::string agent_;
    const DestinationOrder destination_;
    const std::stop_token stop_;
};

}  // namespace

std::unique_ptr<Storage> relay_storage(StorageDesk& desk, sql::Database& store, std::string agent,
                                       DestinationOrder destination, std::stop_token stop) {
    return std::make_unique<RelayedStorage>(desk, store, std::move(agent), std::move(destination), std::move(stop));
}

}  // namespace backstay::relay

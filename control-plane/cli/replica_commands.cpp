#include "control-plane/cli/commands.h"
#include "control-plane/cli/installation_session.h"
#include "control-plane/replicas/leadership.h"
#include "control-plane/store/replicas.h"

namespace backstay::cli {

Result<> replica_list(const Common& common) {
    Session session = TRY(Session::open(common));
    const std::string leader = TRY(replicas::last_leader(session.db));
    std::vector<std::vector<std::string>> rows;
    json::Array views;
    for (const store::Replica& one : TRY(store::Replicas(session.db).alive(session.now))) {
        const bool leads = one.id == leader;
        rows.push_back({one.id, one.address, one.version, to_rfc3339(one.seen_at), leads ? "yes" : "no"});
        views.push_back(json::Object{{"id", one.id},
                                     {"address", one.address},
                                     {"version", one.version},
                                     {"seenAt", to_rfc3339(one.seen_at)},
                                     {"leads", leads}});
    }
    json::Object object{{"replicas", std::move(views)}};
    print_table(common, json::Value(std::move(object)), {"ID", "ADDRESS", "VERSION", "SEEN", "LEADS"}, rows);
    return {};
}

}  // namespace backstay::cli
